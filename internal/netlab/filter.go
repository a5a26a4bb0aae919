package netlab

import (
	"context"
	"fmt"
	"strings"
)

// Filter is what a host lets through, as statements of nftables, one a line.
type Filter struct {
	In, Out, Through string // what comes for it, what it sends, what it passes on
}

// Filter replaces the host's filter; the zero value lets everything through.
func (h *Host) Filter(f Filter) error {
	return h.nft(fmt.Sprintf(`table inet tutti_filter
delete table inet tutti_filter
table inet tutti_filter {
	chain in { type filter hook input priority 0
		%s
	}
	chain out { type filter hook output priority 0
		%s
	}
	chain through { type filter hook forward priority 0
		%s
	}
}
`, f.In, f.Out, f.Through))
}

// nft has nftables take rules over, all or none.
func (h *Host) nft(rules string) error {
	cmd := h.Command(context.Background(), "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	var said strings.Builder
	cmd.Stderr = &said
	if err := h.Run(cmd); err != nil {
		return fmt.Errorf("netlab: nftables refuse the rules of %s: %w: %s", h.Name, err, said.String())
	}
	return nil
}
