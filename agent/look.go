package agent

import (
	"log/slog"
	"sync"

	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/agent/discovery"
	"github.com/tutti-audio/tutti/ostp/describe"
)

// Look finds sources and speakers without being one. Its methods are safe for
// concurrent use; Close waits for its goroutine.
type Look struct {
	node   *discovery.Node
	nearby *nearby
	news   chan struct{}
	wait   sync.WaitGroup
}

// NewLook begins to look, on one interface or, without a name, on all.
func NewLook(ifi string, log *slog.Logger) (*Look, error) {
	var interfaces []string
	if ifi != "" {
		interfaces = []string{ifi}
	}
	node, err := discovery.Open(discovery.Config{Interfaces: interfaces, Log: log})
	if err != nil {
		return nil, err
	}
	browser, err := node.Browse(describe.ServiceType)
	if err != nil {
		node.Close()
		return nil, err
	}
	l := &Look{node: node, news: make(chan struct{}, 1)}
	l.nearby = newNearby(func() {
		select {
		case l.news <- struct{}{}:
		default:
		}
	})
	l.wait.Go(func() { l.nearby.follow(browser.Events()) })
	return l, nil
}

// News delivers something when what is found may have changed.
func (l *Look) News() <-chan struct{} { return l.news }

// Sources lists the sources found so far.
func (l *Look) Sources() []control.Source { return l.nearby.listSources() }

// Speakers lists the speakers found so far.
func (l *Look) Speakers() []control.Peer { return l.nearby.listSpeakers() }

// Close ends looking.
func (l *Look) Close() error {
	err := l.node.Close()
	l.wait.Wait()
	return err
}
