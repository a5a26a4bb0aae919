package main

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tutti-audio/tutti/agent"
	"github.com/tutti-audio/tutti/agent/config"
	"github.com/tutti-audio/tutti/agent/session/remote"
	"github.com/tutti-audio/tutti/agent/source"
	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/internal/notify"
	"github.com/tutti-audio/tutti/ostp"
)

const sendLong = `Send audio to all speakers of a channel, until the input ends or for ever with --loop.

INPUT is one of
  FILE…       WAV, FLAC, MP3, Ogg Vorbis and Ogg Opus files, directories and playlists
              (.m3u, .pls), played without gaps
  -           raw PCM on standard input; say what it is with --format s16le:48000:2
  PIPE        raw PCM from a FIFO; a writer that pauses or goes makes silence
  alsa:hw:CARD,DEVICE, alsa:ID
              what a sound card records, such as its line input
  pulse[:NAME], pulse:monitor
              what PulseAudio records, or what it plays
  tone[:HZ[:DBFS]], tune, silence
              a test tone, a tune that is made up here, nothing

--latency is the time from here to the speakers, the same for all. The longer it
is, the more a bad network can be late without being heard:
` + profileHelp + `
Packets get shorter than that where PCM would not fit an Ethernet frame, unless
--packet is given.`

const sendExample = `  tutti send ~/Music/*.flac
  tutti send --channel party --loop --latency wifi --codec opus party.m3u
  tutti send --latency low alsa:hw:1,0
  tutti send --latency low pulse:monitor
  mkfifo /tmp/audio; tutti send --format s16le:44100:2 /tmp/audio`

// defaultSendListen is where the description is served; when that is taken, any
// free port does.
const defaultSendListen = ":8401"

// sendFlags is what the person asked for.
type sendFlags struct {
	channel, name, codec, latency, packet string
	group, ifi, http, level               string
	relay, password                       string
	bitrate, bits                         int
	legacy, turn                          bool
	input                                 source.Options
}

func sendCommand(around surroundings) *cobra.Command {
	var o sendFlags
	cmd := &cobra.Command{
		Use: "send INPUT…", Short: "Send audio to the speakers", GroupID: groupPlay, Args: cobra.MinimumNArgs(1),
		Long: sendLong, Example: sendExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.input.Inputs = args
			o.forRelay(cmd.Flags().Changed)
			return send(cmd.Context(), o, around, cmd.Flags().Changed("http"))
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.channel, "channel", "default", "`name` of the channel that speakers choose")
	f.StringVar(&o.name, "name", "", "`name` of this source; the host's by default")
	f.StringVar(&o.codec, "codec", "pcm16", "pcm16, pcm24, opus or flac")
	f.IntVar(&o.bitrate, "bitrate", 128, "of opus, in kb/s, 32 to 320")
	f.IntVar(&o.bits, "bits", 24, "of flac, 16 or 24")
	f.StringVar(&o.latency, "latency", "normal", "wire, low, normal, wifi, safe, or a `duration` such as 80ms")
	f.StringVar(&o.packet, "packet", "", "packet `time`, such as 2.5ms; by the latency by default")
	f.StringVar(&o.group, "group", "", "multicast `address:port` to send to; by the channel's name by default")
	f.StringVar(&o.ifi, "interface", "", "network `interface` to send from; the first that can multicast by default")
	f.StringVar(&o.relay, "relay", "", "relay `host`, host:port or https://host that gets the stream for listeners elsewhere; then opus and wifi are the defaults")
	f.StringVar(&o.password, "password", "", "`password` of the channel at the relay, which makes it private; TUTTI_PASSWORD keeps it out of the process list")
	f.BoolVar(&o.turn, "turn", false, "let listeners also come by the relay's TURN server, encrypted from end to end")
	f.StringVar(&o.http, "http", defaultSendListen, "`address:port` that the description is served on")
	f.BoolVar(&o.input.Loop, "loop", false, "begin again at the end")
	f.StringVar(&o.input.Format, "format", "", "of raw PCM, such as s16le:48000:2")
	f.IntVar(&o.input.Channels, "channels", 0, "to send, 1 to 8; as many as the input has by default")
	f.BoolVar(&o.legacy, "legacy", true, "also be found by clients that look for _soluna._udp and _soluna._tcp")
	f.StringVar(&o.level, "log-level", "info", "debug, info, warn or error")
	completeSend(cmd)
	return cmd
}

func completeSend(cmd *cobra.Command) {
	_ = cmd.RegisterFlagCompletionFunc("codec", words("pcm16", "pcm24", "opus", "flac"))
	_ = cmd.RegisterFlagCompletionFunc("latency", words(profileNames()...))
	_ = cmd.RegisterFlagCompletionFunc("interface", completeInterfaces)
	_ = cmd.RegisterFlagCompletionFunc("log-level", words("debug", "info", "warn", "error"))
}

// send sends until the input or the context ends.
func send(ctx context.Context, o sendFlags, around surroundings, listenGiven bool) error {
	c, err := o.config()
	if err != nil {
		return err
	}
	c.Password = cmp.Or(c.Password, around.getenv("TUTTI_PASSWORD"))
	out := newProgress(around.err)
	log, err := around.logger(out, o.level)
	if err != nil {
		return err
	}
	o.input.Log = log
	in, err := source.Open(ctx, o.input)
	if err != nil {
		return err
	}
	defer in.Close()
	if c.Codec, err = o.params(in.Channels(), c.Latency); err != nil {
		return err
	}
	c.Input, c.Log, c.Clock = in, log, hostclock.New(0)
	s, err := agent.Send(c)
	if errors.Is(err, syscall.EADDRINUSE) && !listenGiven {
		log.Warn("another source on this host has the port", "port", c.Listen, "instead", "a free one")
		c.Listen = ":0"
		s, err = agent.Send(c)
	}
	if err != nil {
		return err
	}
	systemd, err := notify.New(around.getenv)
	if err != nil {
		log.Warn("systemd will think that this does not start", "error", err)
	}
	defer systemd.Close()
	systemd.Ready("sends " + c.Channel + " at " + s.Address())
	out.follow(ctx, s, c)
	systemd.Stopping()
	err = errors.Join(s.Close(), in.Close())
	if ended := ctx.Err() == nil; ended {
		err = errors.Join(s.Err(), err)
	}
	return err
}

// config checks everything that does not depend on the input.
func (o sendFlags) config() (c agent.SendConfig, err error) {
	if err := ostp.CheckChannel(o.channel); err != nil {
		return c, coded{err, exitMisused}
	}
	c.Channel, c.Name, c.Interface, c.Listen, c.Version, c.Legacy = o.channel, o.name, o.ifi, o.http, version, o.legacy
	if c.Name == "" {
		c.Name, _ = os.Hostname()
	}
	if err := config.CheckName(c.Name); err != nil {
		return c, coded{err, exitMisused}
	}
	if o.group != "" {
		if c.Group, err = netip.ParseAddrPort(o.group); err != nil || !c.Group.Addr().IsMulticast() || c.Group.Port() == 0 || c.Group.Port() == 65535 {
			return c, misused("group %q: use a multicast address and a port, such as 239.69.0.1:5004", o.group)
		}
	}
	if _, port, err := net.SplitHostPort(o.http); err != nil || !isPort(port) {
		return c, misused("http %q: use address:port or :port", o.http)
	}
	if o.relay != "" {
		relay, err := remote.ParseEndpoint(o.relay)
		if err != nil {
			return c, coded{err, exitMisused}
		}
		c.Relay, c.Password, c.Turn = &relay, o.password, o.turn
	}
	p, err := parseLatency(o.latency)
	c.Latency = p.latency
	return c, err
}

// forRelay sets what suits the internet, where nothing else was asked for.
func (o *sendFlags) forRelay(given func(flag string) bool) {
	if o.relay == "" {
		return
	}
	if !given("codec") {
		o.codec = "opus"
	}
	if !given("latency") {
		o.latency = "wifi"
	}
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(strings.TrimSpace(text), 10, 16)
	return err == nil
}
