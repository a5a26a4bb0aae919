package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tutti-audio/tutti/internal/journal"
	"github.com/tutti-audio/tutti/relay/config"
)

// version is set by the linker.
var version = "dev"

// Exit codes.
const (
	exitOK      = 0
	exitFailed  = 1
	exitMisused = 2
)

// surroundings is what a command touches besides the network.
type surroundings struct {
	out, err io.Writer
	getenv   func(string) string
}

// misuse is an error in what was asked for.
type misuse struct{ error }

func (m misuse) Unwrap() error { return m.error }

// run is main with its surroundings as arguments.
func run(ctx context.Context, args []string, around surroundings) int {
	began := false
	root := &cobra.Command{
		Use: "tutti-relay", Short: "Pass streams on to listeners anywhere", SilenceUsage: true, SilenceErrors: true,
		Long:             "A relay: sources send one stream to it, and it sends a copy to each listener. It\nnever decodes what it passes on.",
		PersistentPreRun: func(*cobra.Command, []string) { began = true },
	}
	root.SetOut(around.out)
	root.SetErr(around.err)
	root.SetArgs(args)
	root.AddCommand(runCommand(around), checkCommand(), versionCommand())
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(around.err, "tutti-relay:", strings.TrimSpace(err.Error()))
	if m := (misuse{}); errors.As(err, &m) || !began {
		return exitMisused
	}
	return exitFailed
}

// load reads the configuration; without a file it is the default.
func load(path string) (config.Config, error) {
	if path == "" {
		return config.Default(), nil
	}
	c, err := config.Load(path)
	if err != nil {
		return c, misuse{err}
	}
	return c, nil
}

func checkCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check FILE", Short: "Check a configuration file", Args: cobra.ExactArgs(1), Example: "  tutti-relay check /etc/tutti/tutti-relay.toml",
		Long: "Check a configuration file, without starting anything.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := load(args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), args[0], "is good")
			return err
		},
	}
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "tutti-relay", version)
			return err
		},
	}
}

// logger writes text to standard error, or with fields to the journal.
func (around surroundings) logger(level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, misuse{fmt.Errorf("log level %q: use debug, info, warn or error", level)}
	}
	if file, ok := around.err.(*os.File); ok && journal.Connected(file, around.getenv) {
		if h, err := journal.Open(l); err == nil {
			return slog.New(h), nil
		}
	}
	return slog.New(slog.NewTextHandler(around.err, &slog.HandlerOptions{Level: l})), nil
}
