package main

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tutti-audio/tutti/agent/control"
)

// setting does something with each speaker of a room and returns what to print.
type setting func(cmd *cobra.Command, c client) (control.Status, string, error)

// change runs a setting on every speaker that args[0] names.
func (f *finder) change(cmd *cobra.Command, args []string, set setting) error {
	peers, err := f.rooms(cmd.Context(), args[0])
	if err != nil {
		return err
	}
	return each(f, peers, func(c client) error {
		s, text, err := set(cmd, c)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(f.around.out, clean(s.Name+": "+text))
		return err
	})
}

func volumeCommand(f *finder) *cobra.Command {
	cmd := &cobra.Command{
		Use: "volume ROOM [N|+N|-N]", Short: "Show or set the volume", GroupID: groupChange, Args: cobra.RangeArgs(1, 2),
		Long:              "Show the volume, set it to N percent, or change it by so many percent.\nThe ROOM \"all\" is every speaker.",
		Example:           "  tutti volume Kitchen\n  tutti volume Kitchen 35\n  tutti volume all -10",
		ValidArgsFunction: completeArgs(f.completeRooms),
		RunE: func(cmd *cobra.Command, args []string) error {
			apply, err := volumeOf(args[1:])
			if err != nil {
				return err
			}
			return f.change(cmd, args, func(cmd *cobra.Command, c client) (control.Status, string, error) {
				s, err := c.status(cmd.Context())
				if err != nil || apply == nil {
					return s, loudness(s), err
				}
				percent := apply(s.Volume)
				s, err = c.change(cmd.Context(), http.MethodPut, "/volume", control.VolumeRequest{Percent: &percent})
				return s, loudness(s), err
			})
		},
	}
	f.flags(cmd, true)
	return cmd
}

// volumeOf reads N, +N or -N as a change of the present volume; nil is none.
func volumeOf(args []string) (func(int) int, error) {
	if len(args) == 0 {
		return nil, nil
	}
	n, err := strconv.Atoi(args[0])
	relative := strings.HasPrefix(args[0], "+") || strings.HasPrefix(args[0], "-")
	if err != nil || n < -100 || n > 100 {
		return nil, misused("volume %q: use 0 to 100, or +N and -N to change it", args[0])
	}
	return func(now int) int {
		if relative {
			return min(max(now+n, 0), 100)
		}
		return n
	}, nil
}

func muteCommand(f *finder) *cobra.Command {
	choices := []string{"on", "off", "toggle"}
	cmd := &cobra.Command{
		Use: "mute ROOM [on|off|toggle]", Short: "Mute or unmute", GroupID: groupChange, Args: cobra.RangeArgs(1, 2),
		Long:              "Mute a room, or with off unmute it again at the volume it had.",
		Example:           "  tutti mute Bath\n  tutti mute Bath off\n  tutti mute all toggle",
		ValidArgsFunction: completeArgs(f.completeRooms, words(choices...)),
		RunE: func(cmd *cobra.Command, args []string) error {
			want := append(args, "on")[1]
			if want != "on" && want != "off" && want != "toggle" {
				return misused("mute %q: use on, off or toggle", want)
			}
			return f.change(cmd, args, func(cmd *cobra.Command, c client) (s control.Status, _ string, err error) {
				muted := want == "on"
				if want == "toggle" {
					if s, err = c.status(cmd.Context()); err != nil {
						return s, "", err
					}
					muted = !s.Muted
				}
				s, err = c.change(cmd.Context(), http.MethodPut, "/mute", control.MuteRequest{Muted: &muted})
				return s, loudness(s), err
			})
		},
	}
	f.flags(cmd, true)
	return cmd
}

func trimCommand(f *finder) *cobra.Command {
	cmd := &cobra.Command{
		Use: "trim ROOM [MS]", Short: "Show or set a speaker's trim", GroupID: groupChange, Args: cobra.RangeArgs(1, 2),
		Long: "Make a speaker play later (above 0) or earlier (below 0) by so many milliseconds, in\n" +
			"steps of 0.1, to make up for a delay behind its output: a television's or an amplifier's.\n" +
			"A speaker whose sound comes 40 ms late is right again with a trim of -40.",
		Example:           "  tutti trim Kitchen\n  tutti trim Kitchen -40\n  tutti trim Kitchen 0",
		ValidArgsFunction: completeArgs(f.completeRooms),
		RunE: func(cmd *cobra.Command, args []string) error {
			var ms *float64
			if len(args) == 2 {
				v, err := strconv.ParseFloat(args[1], 64)
				if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
					return misused("trim %q: use milliseconds, such as -12.5", args[1])
				}
				ms = &v
			}
			return f.change(cmd, args, func(cmd *cobra.Command, c client) (s control.Status, _ string, err error) {
				if ms == nil {
					s, err = c.status(cmd.Context())
				} else {
					s, err = c.change(cmd.Context(), http.MethodPut, "/trim", control.TrimRequest{MS: ms})
				}
				return s, fmt.Sprintf("%+g ms", s.TrimMS), err
			})
		},
	}
	f.flags(cmd, true)
	return cmd
}

// anyChannel is the name that means the first channel that is found.
const anyChannel = "any"

func joinCommand(f *finder) *cobra.Command {
	cmd := &cobra.Command{
		Use: "join ROOM CHANNEL", Short: "Choose the channel that a speaker plays", GroupID: groupChange, Args: cobra.ExactArgs(2),
		Long: "Make a speaker play a channel: at once when that is there, else as soon as it is.\n" +
			"The channel \"any\" is the first that is found.",
		Example:           "  tutti join Kitchen jazz\n  tutti join all house\n  tutti join Kitchen any",
		ValidArgsFunction: completeArgs(f.completeRooms, f.completeChannels),
		RunE: func(cmd *cobra.Command, args []string) error {
			channel := args[1]
			if channel == anyChannel {
				channel = ""
			}
			return f.change(cmd, args, func(cmd *cobra.Command, c client) (control.Status, string, error) {
				s, err := c.change(cmd.Context(), http.MethodPost, "/join", control.JoinRequest{Channel: &channel})
				return s, "joins " + args[1], err
			})
		},
	}
	f.flags(cmd, true)
	return cmd
}
