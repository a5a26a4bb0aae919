package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/spf13/cobra"
)

// imageProgram looks after a speaker's image; it is there only on one.
const imageProgram = "/usr/bin/tutti-os"

const updateLong = `Install an update on a speaker that runs Tutti's own image: it is checked, written beside
the system that runs, and started on trial. A speaker that is not well for a minute with
it goes back to the old one by itself.

FILE is what ends in .tutti; an address is fetched while it is written, and - is
standard input. It needs root. Where Tutti is a package, apt updates it.`

// updateCommand hands over to the image's own program.
func updateCommand(around surroundings, program string) *cobra.Command {
	var stay bool
	cmd := &cobra.Command{
		Use: "update FILE|URL", Short: "Update a speaker that runs Tutti's image", GroupID: groupCare, Args: cobra.ExactArgs(1),
		Long:    updateLong,
		Example: "  tutti update tutti-pi64-2026.1123.0049.tutti\n  ssh root@kitchen.local tutti update - < tutti-pi64-2026.1123.0049.tutti",
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := os.Stat(program); err != nil {
				return fmt.Errorf("this is not a Tutti image (there is no %s): where Tutti is a package, use `apt install ./tutti_*.deb`; "+
					"for the image, write one to a card, as docs/IMAGE.md says", program)
			}
			if stay {
				args = append(args, "--stay")
			}
			other := exec.CommandContext(cmd.Context(), program, append([]string{"update"}, args...)...)
			other.Stdin, other.Stdout, other.Stderr = os.Stdin, around.out, around.err
			other.Cancel = func() error { return other.Process.Signal(os.Interrupt) }
			err := other.Run()
			if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > 0 {
				return coded{errSilent, exit.ExitCode()}
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&stay, "stay", false, "do not start the machine again: the trial begins with its next start")
	return cmd
}
