package main

import "github.com/spf13/cobra"

func doctorCommand(around surroundings) *cobra.Command {
	return &cobra.Command{Use: "doctor", GroupID: groupCare}
}
