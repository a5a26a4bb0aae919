package main

import (
	"net"
	"strings"

	"github.com/spf13/cobra"
)

// completion proposes words for an argument.
type completion = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective)

// words proposes fixed words.
func words(all ...string) completion {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return all, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeArgs proposes for the first argument, the second and so on.
func completeArgs(each ...completion) completion {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= len(each) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return each[len(args)](cmd, args, begun)
	}
}

// completeRooms proposes the rooms that are on the network.
func (f *finder) completeRooms(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	all, err := f.glance(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return beginning(append(roomNames(all.Speakers), everyRoom), begun), cobra.ShellCompDirectiveNoFileComp
}

// completeChannels proposes the channels that are on the network.
func (f *finder) completeChannels(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	all, err := f.glance(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, s := range all.Sources {
		names = append(names, s.Channel+"\tfrom "+s.Name)
	}
	return beginning(names, begun), cobra.ShellCompDirectiveNoFileComp
}

func completeInterfaces(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, i := range all {
		names = append(names, i.Name)
	}
	return beginning(names, begun), cobra.ShellCompDirectiveNoFileComp
}

func beginning(all []string, begun string) (fit []string) {
	for _, s := range all {
		if len(s) >= len(begun) && strings.EqualFold(s[:len(begun)], begun) {
			fit = append(fit, s)
		}
	}
	return fit
}
