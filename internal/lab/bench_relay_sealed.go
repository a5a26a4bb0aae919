package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"

	"github.com/tutti-audio/tutti/internal/selfsigned"
)

// sealedListeners is how many listeners of 20 ms Opus by DTLS-SRTP one core carries:
// 2,000 in two channels, and the CPU time they take.
func sealedListeners(ctx context.Context, r *results) error {
	const listeners, channels = 2000, 2
	tls, err := benchCertificate()
	if err != nil {
		return err
	}
	p, err := startRelay(ctx, tls)
	if err != nil {
		return err
	}
	defer p.stop()
	for _, profile := range []struct {
		name string
		id   dtls.SRTPProtectionProfile
		bar  float64
	}{{"AES-128-GCM", dtls.SRTP_AEAD_AES_128_GCM, 6000}, {"AES-CM-HMAC-SHA1", dtls.SRTP_AES128_CM_HMAC_SHA1_80, 0}} {
		all, err := sealedRun(r, p, listeners, channels, profile.id)
		if err != nil {
			return err
		}
		what := "listeners of 20 ms Opus per core, DTLS-SRTP " + profile.name
		if profile.bar > 0 {
			r.atLeast(what+", median of 3", median(all), profile.bar, "")
		} else {
			r.add(what, median(all), "")
		}
	}
	return nil
}

// sealedRun joins the listeners and plays, three times.
func sealedRun(r *results, p *relayProcess, listeners, channels int, profile dtls.SRTPProtectionProfile) (all []float64, err error) {
	empty := memory(p.cmd.Process.Pid)
	var members []*sealedMember
	defer func() {
		for _, m := range members {
			_ = m.Close()
		}
	}()
	for i := range listeners {
		m, err := newSealedMember(p.udp, fmt.Sprintf("sealed%d/%d", profile, i*channels/listeners), profile)
		if err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	r.add("resident memory for each of 2,000 members by DTLS", (memory(p.cmd.Process.Pid)-empty)*1024/float64(listeners), "KiB")
	var sources []*relaySource
	for i := range channels {
		s, err := newRelaySource(p.udp, fmt.Sprintf("sealed%d/%d", profile, i))
		if err != nil {
			return nil, err
		}
		defer s.Close()
		sources = append(sources, s)
	}
	for range 3 {
		for _, m := range members {
			_, _ = m.dtls.Write([]byte("HELLO"))
		}
		copies, cpu, err := p.spent(func() { play(sources, 50, 6*time.Second) })
		if err != nil {
			return nil, err
		}
		if want := float64(listeners) * 50 * 6; copies < 0.98*want {
			return nil, fmt.Errorf("the relay sent %.0f of %.0f copies", copies, want)
		}
		all = append(all, copies/50/cpu)
	}
	return all, nil
}

// sealedMember is a member by DTLS. Once it has joined it reads nothing.
type sealedMember struct {
	*net.UDPConn
	relay netip.AddrPort
	dtls  *dtls.Conn
	deaf  atomic.Bool
	gone  chan struct{}
}

// ReadFrom implements net.PacketConn for DTLS.
func (m *sealedMember) ReadFrom(b []byte) (int, net.Addr, error) {
	if m.deaf.Load() {
		<-m.gone
		return 0, nil, net.ErrClosed
	}
	return m.UDPConn.ReadFrom(b)
}

func newSealedMember(relay netip.AddrPort, channel string, profile dtls.SRTPProtectionProfile) (*sealedMember, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("%w: `ulimit -n` may be too low", err)
	}
	m := &sealedMember{UDPConn: conn, relay: relay, gone: make(chan struct{})}
	m.dtls, err = dtls.ClientWithOptions(m, net.UDPAddrFromAddrPort(relay), dtls.WithInsecureSkipVerify(true),
		dtls.WithSRTPProtectionProfiles(profile), dtls.WithExtendedMasterSecret(dtls.RequireExtendedMasterSecret))
	if err != nil {
		return nil, err
	}
	if err := m.dtls.Handshake(); err != nil {
		return nil, err
	}
	if _, err := m.dtls.Write([]byte("JOIN:" + channel)); err != nil {
		return nil, err
	}
	b := make([]byte, 2000)
	_ = m.dtls.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := m.dtls.Read(b); err != nil || string(b[:n]) != "OK:joined\n" {
		return nil, fmt.Errorf("the relay says %q: %w", b[:n], errors.Join(err, errors.New("no member")))
	}
	m.deaf.Store(true)
	return m, m.SetReadBuffer(1)
}

// benchCertificate writes a certificate and returns its part of the configuration.
func benchCertificate() (string, error) {
	self, err := selfsigned.New(time.Now().Add(24 * time.Hour))
	if err != nil {
		return "", err
	}
	cert, key, err := self.Write("build")
	return fmt.Sprintf("[tls]\ncertificate = %q\nkey = %q\n", cert, key), err
}
