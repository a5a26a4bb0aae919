package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func listCommand(f *finder) *cobra.Command {
	var plain bool
	cmd := &cobra.Command{
		Use: "ls", Short: "List the sources and speakers on the network", GroupID: groupLook, Args: cobra.NoArgs,
		Long: "List the sources and speakers that answer on the network, as a table or as JSON.\n" +
			"The exit code is 3 when there are none.",
		Example: "  tutti ls\n  tutti ls --json --wait 5s",
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := f.look(cmd.Context(), f.wait, nil)
			if err != nil {
				return err
			}
			if plain {
				err = asJSON(f.around.out, all)
			} else {
				err = printFound(f.around.out, all)
			}
			if err == nil && len(all.Sources)+len(all.Speakers) == 0 {
				return notFound("nothing answered within %v: start `tutti run` and `tutti send`, or see `tutti doctor`", f.wait)
			}
			return err
		},
	}
	f.flags(cmd, false)
	cmd.Flags().BoolVar(&plain, "json", false, "print JSON")
	return cmd
}

func printFound(w io.Writer, all found) error {
	if len(all.Sources) > 0 {
		rows := [][]string{{"CHANNEL", "FROM", "CODEC", "LATENCY", "ADDRESS"}}
		for _, s := range all.Sources {
			from := s.Name
			if s.Via != "" {
				from += " by way of " + s.Via
			}
			rows = append(rows, []string{s.Channel, from, s.Codec, fmt.Sprintf("%g ms", s.LatencyMS), s.Address})
		}
		if err := table(w, rows...); err != nil {
			return err
		}
	}
	if len(all.Speakers) == 0 {
		return nil
	}
	if len(all.Sources) > 0 {
		fmt.Fprintln(w)
	}
	rows := [][]string{{"SPEAKER", "ROOM", "CHANNEL", "ADDRESS", "VERSION"}}
	for _, s := range all.Speakers {
		channel := s.Channel
		if channel == "" {
			channel = "any"
		}
		rows = append(rows, []string{s.Name, s.Room, channel, s.Address, s.Version})
	}
	return table(w, rows...)
}
