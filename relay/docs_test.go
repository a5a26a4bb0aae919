package relay

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/internal/selfsigned"
)

// TestMetricsAreExplained: every metric is in docs/RELAY.md, and the dashboard asks
// for none that there is not.
func TestMetricsAreExplained(t *testing.T) {
	self, err := selfsigned.New(time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	c := local()
	if c.TLS.Certificate, c.TLS.Key, err = self.Write(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	r := start(t, c)
	defer r.Close()
	answer, err := http.Get("http://" + r.metrics.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	doc, err := os.ReadFile(filepath.Join("..", "docs", "RELAY.md"))
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^tutti_relay_(\w+)`).FindAllStringSubmatch(string(b), -1) {
		if there[m[1]] = true; !strings.Contains(string(doc), "`"+m[1]+"`") {
			t.Errorf("%s is not explained", m[1])
		}
	}
	if len(there) < 20 {
		t.Errorf("only %d metrics", len(there))
	}
	dashboard, err := os.ReadFile(filepath.Join("deploy", "grafana.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`tutti_relay_(\w+)`).FindAllStringSubmatch(string(dashboard), -1) {
		if !there[m[1]] {
			t.Errorf("the dashboard asks for %s, which there is not", m[1])
		}
	}
}
