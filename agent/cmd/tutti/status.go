package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tutti-audio/tutti/agent/control"
)

func statusCommand(f *finder) *cobra.Command {
	var plain bool
	cmd := &cobra.Command{
		Use: "status [ROOM]", Short: "Show how a speaker is", GroupID: groupLook, Args: cobra.MaximumNArgs(1),
		Long: "Show what a speaker plays, how well it is in time, and what is wrong with it.\n" +
			"Without a ROOM it is the speaker on this host.",
		Example:           "  tutti status\n  tutti status Kitchen\n  tutti status all --json\n  tutti status --address 192.168.1.21:8400",
		ValidArgsFunction: completeArgs(f.completeRooms),
		RunE: func(cmd *cobra.Command, args []string) error {
			peers, err := f.meant(cmd, args)
			if err != nil {
				return err
			}
			return each(f, peers, func(c client) error {
				s, err := c.status(cmd.Context())
				if err != nil {
					return err
				}
				if plain {
					return asJSON(f.around.out, s)
				}
				return printStatus(f.around.out, s)
			})
		},
	}
	f.flags(cmd, true)
	cmd.Flags().BoolVar(&plain, "json", false, "print JSON, one object for each speaker")
	return cmd
}

// meant is the speakers that the arguments name, or the one on this host.
func (f *finder) meant(cmd *cobra.Command, args []string) ([]control.Peer, error) {
	if len(args) > 0 || f.address != "" {
		return f.rooms(cmd.Context(), strings.Join(args, " "))
	}
	p, err := f.here(cmd.Context())
	return []control.Peer{p}, err
}

// each does something with every speaker; all are tried, and the first error is
// returned.
func each(f *finder, peers []control.Peer, do func(client) error) (first error) {
	for _, p := range peers {
		err := do(f.client(p.Address))
		switch {
		case err != nil && len(peers) == 1:
			return err
		case err != nil && first == nil:
			first = err
		case err != nil:
			fmt.Fprintln(f.around.err, "tutti:", err)
		}
	}
	return first
}

func printStatus(w io.Writer, s control.Status) error {
	rows := [][]string{{"speaker", s.Name + inRoom(s)}, {"state", sentence(s)}}
	if s.Problem != "" {
		rows = append(rows, []string{"problem", s.Problem})
	}
	if d := s.Stream; d != nil {
		rows = append(rows, []string{"channel", d.Channel + " from " + d.Source}, []string{"playing", nowPlaying(d)},
			[]string{"stream", fmt.Sprintf("%s, %d channels, packets of %g ms, %s %s", d.Codec, d.Channels, d.PacketMS, path(d), d.Group)},
			[]string{"latency", fmt.Sprintf("%g ms", d.LatencyMS)})
	}
	if s.Path != nil {
		rows = append(rows, []string{"way", byWay(*s.Path)})
		if s.Path.Better != "" {
			rows = append(rows, []string{"no better way", s.Path.Better})
		}
		if s.Path.NAT != "" {
			rows = append(rows, []string{"network", behind(*s.Path)})
		}
		if s.Path.Part != "" {
			rows = append(rows, []string{"house", inHouse(*s.Path)})
		}
	}
	if t := s.Timing; t.Reported {
		rows = append(rows,
			[]string{"in time", fmt.Sprintf("%+.1f µs ± %.1f µs, without a jump for %v", t.OffsetUS, t.BoundUS, seconds(t.SinceAlignedS))},
			[]string{"clocks", fmt.Sprintf("card %+.1f ppm, host %+.1f ppm, round trip %.0f µs, %d samples", t.CardPPM, t.HostPPM, t.RoundTripUS, t.ClockSamples)})
	}
	p := s.Packets
	rows = append(rows,
		[]string{"packets", fmt.Sprintf("%d received, %d lost, %d late, %d damaged; %d frames concealed", p.Received, p.Lost, p.Late, p.Damaged, p.Concealed)},
		[]string{"output", fmt.Sprintf("%s, %d Hz, ran dry %d times", s.Output.Name, s.Output.Rate, s.Output.Xruns)},
		[]string{"board", board(s.Hardware)}, []string{"volume", loudness(s)}, []string{"trim", fmt.Sprintf("%+g ms", s.TrimMS)}, []string{"channel map", s.Map},
		[]string{"version", fmt.Sprintf("%s, on since %s", s.Version, s.Since.Local().Format(time.DateTime))})
	if err := table(w, rows...); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

// byWay says by which way the stream comes, why, and how good it is.
func byWay(p control.Path) string {
	text := p.Mode + ": " + p.Reason
	if p.Mode == "lan" {
		return text
	}
	return fmt.Sprintf("%s; %s; %.0f kbit/s, round trip %.0f ms, jitter %.0f ms, %.0f ms buffered, %.1f %% lost on the way, %d packets asked for again, %d repaired, %d recovered",
		text, p.Address, p.KbitPerS, p.RoundTripMS, p.JitterMS, p.BufferMS, p.LossPercent, p.Asked, p.Repaired, p.Recovered)
}

// behind says what is between here and the relay.
func behind(p control.Path) string {
	if p.SeenAs == "" {
		return p.NAT
	}
	return p.NAT + ", seen from outside as " + p.SeenAs
}

// inHouse says which part a speaker has in a house that hears a stream from outside.
func inHouse(p control.Path) string {
	standBy := "nobody stands by to take over"
	if p.StandBy != "" {
		standBy = p.StandBy + " stands by to take over"
	}
	switch p.Part {
	case "gateway":
		return fmt.Sprintf("gateway: fetches the stream for all, %d speakers, %d packets passed on; %s", p.Listeners, p.PassedOn, standBy)
	case "stand-by":
		return "stand-by: takes over when the gateway at " + p.Address + " dies"
	}
	return "hears the gateway at " + p.Address + "; " + standBy
}

// board is the hardware in a line.
func board(h control.Hardware) string {
	parts := []string{cmp.Or(h.Board, "does not say what it is")}
	if h.DAC != "" {
		parts = append(parts, h.DAC)
	}
	if h.Amplifier != "" {
		parts = append(parts, "amplifier "+h.Amplifier)
	}
	if h.TemperatureC != 0 {
		parts = append(parts, fmt.Sprintf("%.0f °C", h.TemperatureC))
	}
	for _, bad := range []struct {
		is   bool
		text string
	}{{h.Throttled, "slowed down"}, {h.UnderVoltage, "supply too weak"}} {
		if bad.is {
			parts = append(parts, bad.text)
		}
	}
	return strings.Join(parts, ", ")
}

func inRoom(s control.Status) string {
	if s.Room == "" || s.Room == s.Name {
		return ""
	}
	return ", in " + s.Room
}

func sentence(s control.Status) string {
	if s.Reason == "" {
		return s.State
	}
	return s.State + ": " + s.Reason
}

func path(d *control.Stream) string {
	if d.Unicast {
		return "a copy of its own instead of"
	}
	return "multicast to"
}

// nowPlaying is title and artist in one.
func nowPlaying(d *control.Stream) string {
	if d.Artist == "" {
		return d.Title
	}
	return d.Artist + " – " + d.Title
}

func loudness(s control.Status) string {
	if s.Muted {
		return fmt.Sprintf("%d %%, muted", s.Volume)
	}
	return fmt.Sprintf("%d %%", s.Volume)
}

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Second)
}
