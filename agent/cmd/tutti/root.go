package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tutti-audio/tutti/internal/journal"
	"github.com/tutti-audio/tutti/internal/nearest"
)

// version is set by the linker.
var version = "dev"

// Exit codes.
const (
	exitOK       = 0
	exitFailed   = 1
	exitMisused  = 2
	exitNotFound = 3
)

// coded is an error with an exit code.
type coded struct {
	error
	code int
}

func (c coded) Unwrap() error { return c.error }

func misused(format string, args ...any) error {
	return coded{fmt.Errorf(format, args...), exitMisused}
}

func notFound(format string, args ...any) error {
	return coded{fmt.Errorf(format, args...), exitNotFound}
}

// surroundings is what a command touches besides the network.
type surroundings struct {
	out, err io.Writer
	getenv   func(string) string
}

// The groups that help is ordered by.
const (
	groupPlay   = "play"
	groupLook   = "look"
	groupChange = "change"
	groupCare   = "care"
)

const rootLong = `Tutti turns computers with a sound device into speakers that play one stream as
one instrument.

On each speaker:          tutti run
Where the music is:       tutti send *.flac
To see that it is true:   tutti sync --watch

Speakers and sources find each other by themselves. A ROOM is the name of a
speaker or of the room it stands in; "all" is every speaker.

Exit codes: 0 all went well, 1 something failed, 2 the command was misused,
3 nothing was found or nobody answered.`

// run is main with its surroundings as arguments.
func run(ctx context.Context, args []string, around surroundings) int {
	root, began := commandTree(around)
	root.SetArgs(numbersLast(args))
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if !errors.Is(err, errSilent) {
		fmt.Fprintln(around.err, "tutti:", strings.TrimSpace(err.Error()))
	}
	var c coded
	switch {
	case errors.As(err, &c):
		return c.code
	case !*began: // cobra found fault with the arguments
		fmt.Fprintln(around.err, "tutti: `tutti help` lists the commands, `tutti COMMAND --help` explains one")
		return exitMisused
	}
	return exitFailed
}

// numbersLast puts negative numbers behind all flags, so that `tutti trim Kitchen
// -3` is no flag "3". Only the two commands that take such numbers are changed.
func numbersLast(args []string) []string {
	if len(args) == 0 || args[0] != "trim" && args[0] != "volume" {
		return args
	}
	var others, numbers []string
	for i, arg := range args {
		if arg == "--" {
			others = append(others, args[i+1:]...)
			break
		}
		if _, err := strconv.ParseFloat(arg, 64); err == nil && arg[0] == '-' {
			numbers = append(numbers, arg)
			continue
		}
		others = append(others, arg)
	}
	if numbers == nil {
		return args
	}
	return append(append(others, "--"), numbers...)
}

// errSilent is wrapped by errors that have been told already.
var errSilent = errors.New("told already")

// commandTree makes all commands; began tells whether one of them was reached.
func commandTree(around surroundings) (root *cobra.Command, began *bool) {
	began = new(bool)
	root = &cobra.Command{
		Use: "tutti", Short: "Speakers that play one stream as one instrument", Long: rootLong,
		SilenceUsage: true, SilenceErrors: true, SuggestionsMinimumDistance: 2,
		PersistentPreRun: func(*cobra.Command, []string) { *began = true },
	}
	root.SetOut(around.out)
	root.SetErr(around.err)
	for _, g := range []struct{ id, title string }{
		{groupPlay, "Play:"}, {groupLook, "Look:"}, {groupChange, "Change:"}, {groupCare, "Look after it:"},
	} {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
	}
	f := &finder{around: around}
	root.AddCommand(
		runCommand(around), sendCommand(around),
		listCommand(f), statusCommand(f), syncCommand(f),
		volumeCommand(f), muteCommand(f), trimCommand(f), joinCommand(f),
		doctorCommand(around), updateCommand(around, imageProgram), inspectCommand(around), versionCommand(),
	)
	root.SetHelpCommandGroupID(groupCare)
	root.SetCompletionCommandGroupID(groupCare)
	root.SetFlagErrorFunc(flagError)
	return root, began
}

// flagError adds the nearest flag to a complaint about an unknown one.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := nearest.To(unknown.GetSpecifiedName(), names); near != "" {
		return fmt.Errorf("%w: did you mean --%s?", err, near)
	}
	return fmt.Errorf("%w: `%s --help` lists the flags", err, cmd.CommandPath())
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", GroupID: groupCare, Args: cobra.NoArgs,
		Long: "Print the version of this program.", Example: "  tutti version",
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "tutti", version)
			return err
		},
	}
}

// logger writes text to w, or with fields to the journal when that is where
// standard error goes.
func (around surroundings) logger(w io.Writer, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, misused("log level %q: use debug, info, warn or error", level)
	}
	if file, ok := around.err.(*os.File); ok && journal.Connected(file, around.getenv) {
		if h, err := journal.Open(l); err == nil {
			return slog.New(h), nil
		}
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l})), nil
}
