package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tutti-audio/tutti/internal/notify"
	"github.com/tutti-audio/tutti/relay"
	"github.com/tutti-audio/tutti/relay/config"
)

// lookEvery is how often the configuration file is looked at.
const lookEvery = 2 * time.Second

func runCommand(around surroundings) *cobra.Command {
	var file string
	var show bool
	cmd := &cobra.Command{
		Use: "run", Short: "Be a relay", Args: cobra.NoArgs,
		Long: `Be a relay until SIGTERM; then members are asked to go elsewhere before the
sockets close. Without --config the defaults are used: UDP 5100, lines on TCP
5101, HTTP and WebSocket on 5102, public channels for whoever comes first.

A changed file is taken over at once, as after SIGHUP. One with mistakes is
refused, and the old settings stay.`,
		Example: "  tutti-relay run\n  tutti-relay run --config /etc/tutti/tutti-relay.toml\n  tutti-relay run --print-config > tutti-relay.toml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := load(file)
			if err != nil {
				return err
			}
			if show {
				return config.Print(around.out, c)
			}
			log, err := around.logger(c.LogLevel)
			if err != nil {
				return err
			}
			return beRelay(cmd.Context(), c, file, around, log)
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "`file` with settings")
	cmd.Flags().BoolVar(&show, "print-config", false, "print the settings in force and end")
	return cmd
}

// beRelay runs a relay until the context ends, and then drains it.
func beRelay(ctx context.Context, c config.Config, file string, around surroundings, log *slog.Logger) error {
	systemd, err := notify.New(around.getenv)
	if err != nil {
		log.Warn("systemd is not told", "error", err)
	}
	defer systemd.Close()
	r, err := relay.New(c, log)
	if err != nil {
		return err
	}
	log.Info("relaying", "udp", r.Hub().LocalAddr(), "http", r.HTTPAddr())
	systemd.Ready("relaying")
	watch(ctx, file, r, log)
	systemd.Stopping()
	log.Info("stopping: members are asked to go elsewhere", "at_most", c.DrainTime())
	again, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) // a second one ends the patience
	defer stop()
	r.Drain(again)
	return r.Close()
}

// watch takes a changed file over, until the context ends.
func watch(ctx context.Context, file string, r *relay.Relay, log *slog.Logger) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	last, trouble := stamp(file), ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
		case <-tick.C:
			if err := r.LookAtCertificate(); err != nil && trouble != err.Error() {
				trouble = err.Error() // once for each
				log.Error("the certificate stays as it was", "error", err)
			}
			if stamp(file) == last {
				continue
			}
		}
		if file == "" {
			continue
		}
		last = stamp(file)
		c, err := config.Load(file)
		if err != nil {
			log.Error("the changed configuration is refused, the old one stays", "error", err)
			continue
		}
		r.Apply(c)
		log.Info("the configuration was read again", "file", file)
	}
}

// change is what tells one version of a file from another.
type change struct {
	at   time.Time
	size int64
}

func stamp(file string) (c change) {
	if info, err := os.Stat(file); err == nil {
		c = change{info.ModTime(), info.Size()}
	}
	return c
}
