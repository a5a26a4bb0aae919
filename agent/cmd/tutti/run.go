package main

import (
	"encoding/json"
	"net"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/tutti-audio/tutti/agent"
	"github.com/tutti-audio/tutti/agent/config"
)

func runCommand() *cobra.Command {
	c := config.Default()
	cmd := &cobra.Command{
		Use: "run", Short: "Be a speaker", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := logger(cmd.ErrOrStderr(), c.LogLevel)
			if err != nil {
				return err
			}
			listener, err := net.Listen("tcp", c.HTTP.Listen)
			if err != nil {
				return err
			}
			s, err := agent.New(c, version, uint16(listener.Addr().(*net.TCPAddr).Port), log)
			if err != nil {
				return err
			}
			mux := http.NewServeMux()
			mux.HandleFunc("GET /api/v1/status", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(s.Status()) })
			server := &http.Server{Handler: mux}
			go server.Serve(listener)
			<-cmd.Context().Done()
			server.Close()
			return s.Close()
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.Name, "name", c.Name, "name of this speaker")
	f.StringVar(&c.Channel, "channel", c.Channel, "channel to play; empty: the first that is found")
	f.StringVar(&c.Source, "source", c.Source, "host:port of a sender, without mDNS")
	f.StringVar(&c.Output, "output", c.Output, "pulse[:SINK], wav:FILE, virtual[:KEY=VALUE,…], null or auto")
	f.StringVar(&c.Interface, "interface", c.Interface, "network interface")
	f.StringVar(&c.StateDir, "state-dir", "/tmp", "where settings are remembered")
	f.StringVar(&c.HTTP.Listen, "http", c.HTTP.Listen, "address:port of the API")
	f.StringVar(&c.LogLevel, "log-level", c.LogLevel, "debug, info, warn or error")
	f.IntVar(&c.Volume, "volume", c.Volume, "0 to 100")
	f.Float64Var(&c.HostSkewPPM, "host-skew-ppm", 0, "for experiments: run this host's clock fast")
	return cmd
}
