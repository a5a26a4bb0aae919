package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"

	"github.com/spf13/cobra"

	"github.com/tutti-audio/tutti/agent/config"
	"github.com/tutti-audio/tutti/internal/hostclock"
)

const doctorLong = `Look whether this host can be a speaker: board, sound add-on, power, wires, interface,
multicast, Wi-Fi power save, discovery, time, clocks, real-time rights, sound cards,
output, port and state directory. Each failure says how to mend it. Settings are those
of tutti run.

A "?" is worth knowing and stops nothing. The exit code is 1 when something failed.`

func doctorCommand(around surroundings) *cobra.Command {
	var file string
	var plain bool
	flags := &overrides{}
	cmd := &cobra.Command{
		Use: "doctor", Short: "Look for what is wrong on this host", GroupID: groupCare, Args: cobra.NoArgs,
		Long: doctorLong, Example: "  tutti doctor\n  tutti doctor --interface wlan0 --output pulse",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := configure(config.Locate(file, around.getenv), flags, around)
			if err != nil {
				return err
			}
			all := (&patient{config: c, clock: hostclock.New(0), root: os.DirFS("/")}).examine(cmd.Context())
			if plain {
				err = asJSON(around.out, all)
			} else {
				err = printFindings(around.out, all)
			}
			for _, f := range all {
				if f.Level == levelFailed {
					return errSilent
				}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "`file` to read instead of the user's or the system's tutti.toml")
	cmd.Flags().BoolVar(&plain, "json", false, "print JSON")
	flags.register(cmd.Flags(), "interface", "output", "state_dir", "http.listen")
	_ = cmd.RegisterFlagCompletionFunc("interface", completeInterfaces)
	return cmd
}

// How bad a finding is.
const (
	levelGood   = "good"
	levelWarn   = "warning"
	levelFailed = "failed"
)

// finding is what one look showed.
type finding struct {
	Name   string `json:"name"`
	Level  string `json:"level"` // good, warning or failed
	Detail string `json:"detail"`
	Mend   string `json:"mend,omitempty"` // how to
}

func good(format string, args ...any) finding {
	return finding{Level: levelGood, Detail: fmt.Sprintf(format, args...)}
}

func warning(mend, format string, args ...any) finding {
	return finding{Level: levelWarn, Detail: fmt.Sprintf(format, args...), Mend: mend}
}

func failed(mend, format string, args ...any) finding {
	return finding{Level: levelFailed, Detail: fmt.Sprintf(format, args...), Mend: mend}
}

// patient is the host that is examined. ifi is nil when there is no network.
type patient struct {
	config config.Config
	clock  *hostclock.Clock
	ifi    *net.Interface
	addr   netip.Addr
	root   fs.FS
}

// examine looks at everything, one after the other.
func (p *patient) examine(ctx context.Context) (all []finding) {
	for _, look := range []struct {
		name string
		at   func(context.Context) finding
	}{
		{"board", p.board}, {"power", p.power}, {"wires", p.wires}, {"interface", p.network}, {"multicast", p.multicast},
		{"wi-fi", p.powerSave}, {"discovery", p.discovery}, {"time source", p.timeSource}, {"clock", p.resolution}, {"real time", p.realTime},
		{"sound cards", p.cards}, {"output", p.output}, {"port", p.port}, {"state", p.state},
	} {
		if ctx.Err() != nil {
			return all
		}
		f := look.at(ctx)
		f.Name = look.name
		all = append(all, f)
	}
	return all
}

func printFindings(w io.Writer, all []finding) error {
	marks := map[string]string{levelGood: "ok", levelWarn: "?", levelFailed: "FAILED"}
	rows := [][]string{}
	for _, f := range all {
		rows = append(rows, []string{f.Name, marks[f.Level], f.Detail})
		if f.Mend != "" {
			rows = append(rows, []string{" ", " ", "→ " + f.Mend})
		}
	}
	return table(w, rows...)
}
