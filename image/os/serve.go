package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/netutil"
	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/image/hotspot"
)

const (
	addressWait = 20 * time.Second // for networkd to give the device our address
	pageTimeout = 10 * time.Second
	maxVisitors = 32 // connections at once
)

// ask opens our network until somebody has chosen one.
func (s *spot) ask(ctx context.Context) error {
	page, err := hotspot.NewPage()
	if err != nil {
		return err
	}
	page.Network, page.Networks, page.Before, page.Problem = s.name, s.networks, s.choice, s.problem
	if page.Host, err = os.Hostname(); err != nil {
		return err
	}
	r, err := startRadio(hotspot.AccessPoint(controlDir, s.choice.Country, s.name))
	if err != nil {
		return err
	}
	defer r.close()
	defer func() { _ = configureNetwork(false) }()
	if err := configureNetwork(true); err != nil {
		return err
	}
	stop, err := listen(ctx, page)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Printf("set-up: join the Wi-Fi %q and open http://%s\n", s.name, hotspot.Address)
	return s.wait(ctx, page)
}

// wait returns when there is a choice, a cable or the end.
func (s *spot) wait(ctx context.Context, page *hotspot.Page) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case s.choice = <-page.Chosen():
			time.Sleep(goodbye)
			return nil
		case <-tick.C:
			if wired() {
				return errWired
			}
		}
	}
}

// listen opens the page and the name server, on our address of the device only.
func listen(ctx context.Context, page http.Handler) (stop func(), err error) {
	only := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		failed := c.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), hotspot.Interface) })
		return errors.Join(failed, err)
	}}
	var web net.Listener
	for end := time.Now().Add(addressWait); ; time.Sleep(200 * time.Millisecond) {
		if web, err = only.Listen(ctx, "tcp4", hotspot.Address+":80"); err == nil {
			break
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return nil, fmt.Errorf("the set-up page: %w", err)
		}
	}
	packets, err := only.ListenPacket(ctx, "udp4", hotspot.Address+":53")
	if err != nil {
		return nil, errors.Join(err, web.Close())
	}
	streams, err := only.Listen(ctx, "tcp4", hotspot.Address+":53")
	if err != nil {
		return nil, errors.Join(err, web.Close(), packets.Close())
	}
	names := hotspot.Names(netip.MustParseAddr(hotspot.Address))
	server := &http.Server{
		Handler: page, MaxHeaderBytes: hotspot.MaxHeader, ReadTimeout: pageTimeout, WriteTimeout: pageTimeout, IdleTimeout: pageTimeout,
	}
	udp := &dns.Server{PacketConn: packets, Handler: names}
	tcp := &dns.Server{Listener: netutil.LimitListener(streams, maxVisitors), Handler: names, MaxTCPQueries: 16}
	go func() { _ = server.Serve(netutil.LimitListener(web, maxVisitors)) }()
	go func() { _ = udp.ActivateAndServe() }()
	go func() { _ = tcp.ActivateAndServe() }()
	return func() {
		_ = server.Close()
		_, _ = packets.Close(), streams.Close()
	}, nil
}
