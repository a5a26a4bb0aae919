package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/tutti-audio/tutti/agent"
	"github.com/tutti-audio/tutti/agent/session/lan"
	"github.com/tutti-audio/tutti/agent/source"
	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/ostp/codec"
)

func sendCommand() *cobra.Command {
	var o source.Options
	var c agent.SendConfig
	var codecName string
	var packet, latency time.Duration
	cmd := &cobra.Command{
		Use: "send INPUT…", Short: "Send audio to the speakers", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			log, err := logger(cmd.ErrOrStderr(), "info")
			if err != nil {
				return err
			}
			o.Inputs, o.Log = args, log
			in, err := source.Open(cmd.Context(), o)
			if err != nil {
				return err
			}
			defer in.Close()
			kind, err := codec.ParseName(codecName)
			if err != nil {
				return err
			}
			c.Input, c.Log, c.Clock, c.Version, c.Latency = in, log, hostclock.New(0), version, latency
			c.Codec = codec.Params{Type: kind, Frames: int(packet * 48000 / time.Second)}
			c.Name, _ = os.Hostname()
			s, err := agent.Send(c)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "sending", c.Channel, "at", s.Address())
			select {
			case <-cmd.Context().Done():
			case <-s.Ended():
			}
			return s.Close()
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.Channel, "channel", "default", "name of the channel")
	f.StringVar(&codecName, "codec", "pcm16", "pcm16, pcm24, opus or flac")
	f.DurationVar(&packet, "packet", 5*time.Millisecond, "packet time")
	f.DurationVar(&latency, "latency", 100*time.Millisecond, "source to speaker")
	f.BoolVar(&o.Loop, "loop", false, "begin again at the end")
	f.StringVar(&o.Format, "format", "", "of raw PCM, such as s16le:48000:2")
	f.StringVar(&c.Listen, "http", ":8401", "address:port of the description")
	f.StringVar(&c.Interface, "interface", "", "network interface")
	_ = lan.DefaultPort
	return cmd
}
