package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vishvananda/netlink/nl"
)

// As much of DHCP (RFC 2131) as a phone and the router of a house need.
const (
	houseAddress = "10.9.9.1"
	housePrefix  = "10.9.9."
	dhcpSize     = 240
	cookie       = 0x63825363
	optRouter    = 3
	optNames     = 6
	optRequested = 50
	optKind      = 53
	optServer    = 54
	discover     = 1
	offer        = 2
	request      = 3
	ack          = 5
)

type lease struct{ address, router, names string }

// packet is a DHCP message.
func packet(op byte, xid uint32, mac []byte, yours net.IP, options ...[]byte) []byte {
	b := make([]byte, dhcpSize)
	b[0], b[1], b[2] = op, 1, 6
	binary.BigEndian.PutUint32(b[4:], xid)
	binary.BigEndian.PutUint16(b[10:], 1<<15) // answer by broadcast
	copy(b[16:], yours.To4())
	copy(b[28:], mac)
	binary.BigEndian.PutUint32(b[236:], cookie)
	for _, o := range options {
		b = append(append(b, o[0], byte(len(o)-1)), o[1:]...)
	}
	return append(b, 255)
}

// options reads those of a message.
func options(b []byte) map[byte][]byte {
	all := map[byte][]byte{}
	for i := dhcpSize; i+1 < len(b) && b[i] != 255; i += 2 + int(b[i+1]) {
		if end := i + 2 + int(b[i+1]); end <= len(b) {
			all[b[i]] = b[i+2 : end]
		}
	}
	return all
}

func socket(device string, port int) (net.PacketConn, error) {
	c := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		failed := raw.Control(func(fd uintptr) {
			err = errors.Join(unix.BindToDevice(int(fd), device), unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1))
		})
		return errors.Join(failed, err)
	}}
	return c.ListenPacket(context.Background(), "udp4", ":"+strconv.Itoa(port))
}

// askAddress gets an address as a phone does.
func askAddress(device string) (l lease, err error) {
	d, err := net.InterfaceByName(device)
	if err != nil {
		return l, err
	}
	c, err := socket(device, 68)
	if err != nil {
		return l, err
	}
	defer c.Close()
	const xid = 0x74757474
	send := packet(1, xid, d.HardwareAddr, nil, []byte{optKind, discover}, []byte{55, optRouter, optNames})
	err = until("an address", func() error {
		if _, err := c.WriteTo(send, &net.UDPAddr{IP: net.IPv4bcast, Port: 67}); err != nil {
			return err
		}
		b := make([]byte, 1500)
		_ = c.SetReadDeadline(time.Now().Add(3 * time.Second))
		n, _, err := c.ReadFrom(b)
		if err != nil || n < dhcpSize || binary.BigEndian.Uint32(b[4:]) != xid {
			return fmt.Errorf("no answer: %w", err)
		}
		o := options(b[:n])
		kind := append(o[optKind], 0)[0]
		if kind == offer {
			send = packet(1, xid, d.HardwareAddr, nil, []byte{optKind, request}, append([]byte{optRequested}, b[16:20]...), append([]byte{optServer}, o[optServer]...), []byte{55, optRouter, optNames})
			return errors.New("offered, not yet given")
		}
		if kind != ack {
			return fmt.Errorf("answer of kind %d", kind)
		}
		l = lease{net.IP(b[16:20]).String(), net.IP(o[optRouter]).String(), net.IP(o[optNames]).String()}
		return nil
	})
	return l, err
}

// giveAddresses is the router of the house.
func giveAddresses(device string) error {
	c, err := socket(device, 67)
	if err != nil {
		return err
	}
	b := make([]byte, 1500)
	for {
		n, _, err := c.ReadFrom(b)
		if err != nil {
			return err
		}
		if n < dhcpSize {
			continue
		}
		kind := byte(offer)
		if append(options(b[:n])[optKind], 0)[0] == request {
			kind = ack
		}
		server := net.ParseIP(houseAddress).To4()
		answer := packet(2, binary.BigEndian.Uint32(b[4:]), b[28:34], net.ParseIP(housePrefix+"50"), []byte{optKind, kind}, append([]byte{optServer}, server...),
			append([]byte{optRouter}, server...), []byte{1, 255, 255, 255, 0}, []byte{51, 0, 0, 14, 16})
		if _, err := c.WriteTo(answer, &net.UDPAddr{IP: net.IPv4bcast, Port: 68}); err != nil {
			return err
		}
	}
}

// handOn moves a radio into a namespace (nl80211, NL80211_CMD_SET_WIPHY_NETNS).
func handOn(device, namespace string) error {
	const (
		setWiphyNetns, attrWiphy, attrNetnsFD = 49, 1, 219
		getFamily, attrFamilyID, attrName     = 3, 1, 2
	)
	text, err := os.ReadFile("/sys/class/net/" + device + "/phy80211/index")
	if err != nil {
		return err
	}
	index, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	ns, err := os.Open("/run/netns/" + namespace)
	if err != nil {
		return err
	}
	defer ns.Close()
	ask := nl.NewNetlinkRequest(unix.GENL_ID_CTRL, 0)
	ask.AddData(&nl.Genlmsg{Command: getFamily, Version: 1})
	ask.AddData(nl.NewRtAttr(attrName, nl.ZeroTerminated("nl80211")))
	answers, err := ask.Execute(unix.NETLINK_GENERIC, 0)
	if err != nil {
		return fmt.Errorf("nl80211: %w", err)
	}
	var family uint16
	for _, a := range answers {
		attributes, err := nl.ParseRouteAttr(a[nl.SizeofGenlmsg:])
		if err != nil {
			return err
		}
		for _, one := range attributes {
			if one.Attr.Type == attrFamilyID {
				family = binary.NativeEndian.Uint16(one.Value)
			}
		}
	}
	move := nl.NewNetlinkRequest(int(family), unix.NLM_F_ACK)
	move.AddData(&nl.Genlmsg{Command: setWiphyNetns})
	move.AddData(nl.NewRtAttr(attrWiphy, nl.Uint32Attr(uint32(index))))
	move.AddData(nl.NewRtAttr(attrNetnsFD, nl.Uint32Attr(uint32(ns.Fd()))))
	_, err = move.Execute(unix.NETLINK_GENERIC, 0)
	return err
}
