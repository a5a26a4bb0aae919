package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tutti-audio/tutti/agent"
	"github.com/tutti-audio/tutti/agent/config"
	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/internal/notify"
	"github.com/tutti-audio/tutti/internal/udp"
)

const runLong = `Be a speaker: find a source, join it and play in time with all other speakers.

Settings come from tutti.toml (--config FILE, else $XDG_CONFIG_HOME/tutti/tutti.toml,
else /etc/tutti/tutti.toml) and from the flags, which win. --print-config prints
the settings in force, explained, as a file to begin with. What is changed later
by the page, the API or tutti volume is remembered and wins over both.

The web page, the API and the metrics are served on port 8400; when another
speaker on this host has that, on a free port.`

const runExample = `  tutti run
  tutti run --name Kitchen --channel house
  tutti run --output alsa:hw:0,0
  tutti run --output pulse:alsa_output.usb --volume 30
  tutti run --print-config > tutti.toml`

func runCommand(around surroundings) *cobra.Command {
	var file string
	var show bool
	flags := &overrides{}
	cmd := &cobra.Command{
		Use: "run", Short: "Be a speaker", GroupID: groupPlay, Args: cobra.NoArgs, Long: runLong, Example: runExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := configure(config.Locate(file, around.getenv), flags, around)
			if err != nil {
				return err
			}
			if show {
				return config.Print(around.out, c)
			}
			log, err := around.logger(around.err, c.LogLevel)
			if err != nil {
				return err
			}
			if err := hostclock.LockProgram(); err != nil {
				log.Info("parts of the program may have to be read again when memory is short", "reason", err)
			}
			return beSpeaker(cmd.Context(), c, around, log)
		},
	}
	f := cmd.Flags()
	f.StringVar(&file, "config", "", "`file` to read instead of the user's or the system's tutti.toml")
	f.BoolVar(&show, "print-config", false, "print the settings in force and end")
	flags.register(f)
	_ = cmd.RegisterFlagCompletionFunc("channel", (&finder{around: around}).completeChannels)
	_ = cmd.RegisterFlagCompletionFunc("interface", completeInterfaces)
	_ = cmd.RegisterFlagCompletionFunc("channel-map", words("stereo", "left", "right", "mono"))
	_ = cmd.RegisterFlagCompletionFunc("log-level", words("debug", "info", "warn", "error"))
	return cmd
}

// overrides are settings given as flags.
type overrides struct{ given []override }

type override struct {
	key  config.Key
	text string
}

// register makes flags of the named settings, or of all.
func (o *overrides) register(f *pflag.FlagSet, names ...string) {
	for _, k := range config.Keys() {
		if k.Flag == "" || len(names) > 0 && !slices.Contains(names, k.Name) {
			continue
		}
		flag := f.VarPF(&settingFlag{key: k, into: o, text: k.Text(config.Default())}, k.Flag, "", k.Help())
		if k.Type() == "boolean" {
			flag.NoOptDefVal = "true"
		}
	}
}

// settingFlag is one setting as a flag. It refuses what the file would refuse.
type settingFlag struct {
	key  config.Key
	into *overrides
	text string
}

func (s *settingFlag) String() string { return s.text }
func (s *settingFlag) Type() string   { return s.key.Type() }
func (s *settingFlag) Set(text string) error {
	c := config.Default()
	if err := s.key.Set(&c, text); err != nil {
		return err
	}
	s.text = text
	s.into.given = append(s.into.given, override{s.key, text})
	return nil
}

// configure reads the file, if there is one, and puts the environment and the
// flags over it.
func configure(path string, flags *overrides, around surroundings) (config.Config, error) {
	c := config.Default()
	if path != "" {
		var err error
		if c, err = config.Load(path); err != nil {
			return c, coded{err, exitMisused}
		}
	}
	if key := around.getenv("TUTTI_KEY"); key != "" {
		k, _ := config.Find("http.key")
		if err := k.Set(&c, key); err != nil {
			return c, misused("$TUTTI_KEY: %w", err)
		}
	}
	for _, o := range flags.given {
		if err := o.key.Set(&c, o.text); err != nil {
			return c, misused("--%s: %w", o.key.Flag, err)
		}
	}
	if c.StateDir == "" {
		c.StateDir = config.DefaultStateDir(around.getenv, os.Getuid())
	}
	return c, nil
}

// beSpeaker runs a speaker and its API until the context ends.
//
// It waits for nothing else: network, source and sound device may come and go in
// any order. systemd hears that it is ready once the audio thread turns.
func beSpeaker(ctx context.Context, c config.Config, around surroundings, log *slog.Logger) error {
	systemd, err := notify.New(around.getenv)
	if err != nil {
		log.Warn("systemd will think that this does not start", "error", err)
	}
	defer systemd.Close()
	listener, err := listen(ctx, c.HTTP.Listen, log)
	if err != nil {
		return err
	}
	dir, release, err := config.OwnStateDir(c.StateDir)
	if err != nil {
		listener.Close()
		return err
	}
	defer release()
	if dir != c.StateDir {
		log.Warn("another speaker on this host uses the state directory", "instead", dir)
		c.StateDir = dir
	}
	port := listener.Addr().(*net.TCPAddr).Port
	s, err := agent.New(c, version, uint16(port), log)
	if err != nil {
		listener.Close()
		return err
	}
	server := control.NewServer(control.Config{Speaker: s, Key: c.HTTP.Key, Log: log})
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	log.Info("this speaker is on", "name", s.Status().Name, "page", "http://"+net.JoinHostPort(pageHost(c), strconv.Itoa(port)))
	if c.HTTP.Key == "" {
		log.Debug("anybody on this network can change this speaker", "instead", "set [http] key in tutti.toml")
	}
	systemd.Follow(s.Turns, func() string { return inShort(s.Status()) })
	select {
	case <-ctx.Done():
		err = server.Close()
		<-served //nolint:errcheck // it ended because of Close
	case err = <-served:
	}
	systemd.Stopping()
	return errors.Join(err, s.Close())
}

// inShort is a speaker's state in a line, for systemctl status.
func inShort(s control.Status) string {
	text := s.State
	if s.Stream != nil {
		text += " " + s.Stream.Channel + " from " + s.Stream.Source
	}
	for _, why := range []string{s.Reason, s.Problem} {
		if why != "" {
			text += ": " + why
		}
	}
	return clean(text)
}

// pageHost is the address that the page is reached at from the network.
func pageHost(c config.Config) string {
	if host, _, err := net.SplitHostPort(c.HTTP.Listen); err == nil && host != "" {
		return host
	}
	_, addr, err := udp.Multicast(c.Interface)
	if err != nil {
		return "localhost"
	}
	return addr.String()
}

// listen opens the API's port. When another speaker on this host has the usual
// one, any free port does: it is announced.
func listen(ctx context.Context, address string, log *slog.Logger) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err == nil {
		return l, nil
	}
	host, port, _ := net.SplitHostPort(address)
	if errors.Is(err, syscall.EADDRINUSE) {
		if !isTutti(ctx, net.JoinHostPort(host, port)) {
			return nil, fmt.Errorf("port %s belongs to another program: end that, or choose another with --http :PORT", port)
		}
		if address == config.DefaultListen {
			l, err = net.Listen("tcp", net.JoinHostPort(host, "0"))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot serve the page and the API on %s: %w; choose another with --http ADDRESS:PORT", address, err)
	}
	log.Warn("another speaker on this host has the port", "port", port, "instead", l.Addr())
	return l, nil
}

// isTutti asks whether a speaker serves the address of this host.
func isTutti(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	host, port, _ := net.SplitHostPort(address)
	if host == "" {
		host = "127.0.0.1"
	}
	c := client{address: net.JoinHostPort(host, port), http: http.DefaultClient}
	var h control.Health
	return c.get(ctx, "/healthz", &h) == nil && h.Program == "tutti"
}
