package control

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestChanges(t *testing.T) {
	f, _, h := serve(t, "")
	for _, c := range []struct {
		method, path, body string
		code               int
		want               func(Status) bool
	}{
		{"PUT", "volume", `{"percent": 0}`, 200, func(s Status) bool { return s.Volume == 0 }},
		{"PUT", "volume", `{"percent": 77}`, 200, func(s Status) bool { return s.Volume == 77 }},
		{"PUT", "volume", `{"percent": 101}`, 422, func(s Status) bool { return s.Volume == 77 }},
		{"PUT", "volume", `{}`, 422, func(s Status) bool { return s.Volume == 77 }},
		{"PUT", "volume", `{"percent": 5.5}`, 400, nil},
		{"PUT", "volume", `{"percent": 5, "extra": 1}`, 400, func(s Status) bool { return s.Volume == 77 }},
		{"PUT", "volume", `{"percent": 5} {"percent": 6}`, 400, func(s Status) bool { return s.Volume == 77 }},
		{"PUT", "volume", ``, 400, nil},
		{"PUT", "volume", `[` + strings.Repeat(" ", maxBody) + `]`, 413, nil},
		{"PUT", "mute", `{"muted": true}`, 200, func(s Status) bool { return s.Muted }},
		{"PUT", "mute", `{"muted": null}`, 422, func(s Status) bool { return s.Muted }},
		{"PUT", "trim", `{"ms": -12.5}`, 200, func(s Status) bool { return s.TrimMS == -12.5 }},
		{"PUT", "trim", `{"ms": 1e300}`, 422, func(s Status) bool { return s.TrimMS == -12.5 }},
		{"PUT", "map", `{"channel_map": "left"}`, 200, func(s Status) bool { return s.Map == "left" }},
		{"PUT", "name", `{"name": "Küche"}`, 200, func(s Status) bool { return s.Name == "Küche" }},
		{"PUT", "name", `{"name": ""}`, 422, func(s Status) bool { return s.Name == "Küche" }},
		{"POST", "join", `{"channel": "jazz"}`, 200, func(s Status) bool { return s.Channel == "jazz" }},
		{"POST", "join", `{"channel": ""}`, 200, func(s Status) bool { return s.Channel == "" }},
		{"POST", "volume", `{"percent": 1}`, 405, nil},
		{"PUT", "nothing", `{}`, 404, nil},
	} {
		code, body, _ := ask(t, h, c.method, "/api/v1/"+c.path, c.body, asJSON)
		if code != c.code {
			t.Errorf("%s %s %.40s: %d %s, want %d", c.method, c.path, c.body, code, body, c.code)
			continue
		}
		var failure Failure
		if code != 200 && (json.Unmarshal([]byte(body), &failure) != nil || failure.Error == "") {
			t.Errorf("%s %s %.40s: answered %q, want an error in JSON", c.method, c.path, c.body, body)
		}
		var s Status
		if code == 200 && (json.Unmarshal([]byte(body), &s) != nil || s.ID != "x") {
			t.Errorf("%s: answered %q, want the status", c.path, body)
		}
		if c.want != nil && !c.want(f.Status()) {
			t.Errorf("%s %.40s: the speaker is %+v", c.path, c.body, f.Status())
		}
	}
}

func TestLists(t *testing.T) {
	f, _, h := serve(t, "")
	if _, body, _ := ask(t, h, "GET", "/api/v1/sources", ""); body != "[]\n" {
		t.Errorf("no sources: %q", body)
	}
	f.sources, f.peers = []Source{{Channel: "house"}}, []Peer{{Name: "Bath"}}
	for path, want := range map[string]string{"sources": `"channel":"house"`, "speakers": `"name":"Bath"`, "openapi.yaml": "openapi: 3.1.0"} {
		if code, body, _ := ask(t, h, "GET", "/api/v1/"+path, ""); code != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
}

// TestOthersPages: what a page of elsewhere can make a browser send changes
// nothing, and cannot be read under a foreign name.
func TestOthersPages(t *testing.T) {
	f, _, h := serve(t, "")
	own := "http://" + strings.TrimPrefix(h.URL, "http://")
	for _, c := range []struct {
		why     string
		code    int
		headers []string
	}{
		{"a form", 415, []string{"Content-Type: text/plain"}},
		{"no type", 415, nil},
		{"another origin", 403, []string{asJSON, "Origin: http://evil.example"}},
		{"another port of this host", 403, []string{asJSON, "Origin: http://127.0.0.1:1"}},
		{"an opaque origin", 403, []string{asJSON, "Origin: null"}},
		{"a browser that says so", 403, []string{asJSON, "Sec-Fetch-Site: cross-site"}},
		{"a rebound name", 421, []string{asJSON, "Host: evil.example"}},
		{"a rebound name that looks like ours", 421, []string{asJSON, "Host: kitchen.evil.example"}},
		{"a rebound name that ends like a local one", 421, []string{asJSON, "Host: evillocal"}},
		{"its own page", 200, []string{asJSON, "Origin: " + own}},
		{"no browser", 200, []string{asJSON + "; charset=utf-8"}},
		{"its name", 200, []string{asJSON, "Host: Kitchen.example:8400"}},
		{"its short name", 200, []string{asJSON, "Host: kitchen"}},
		{"its mDNS name", 200, []string{asJSON, "Host: kitchen-12.local:8400"}},
		{"localhost", 200, []string{asJSON, "Host: localhost"}},
		{"IPv6", 200, []string{asJSON, "Host: [fe80::1]:8400"}},
		{"IPv6 without a port", 200, []string{asJSON, "Host: [::1]"}},
	} {
		_ = f.SetVolume(40)
		code, body, _ := ask(t, h, "PUT", "/api/v1/volume", `{"percent": 41}`, c.headers...)
		if code != c.code {
			t.Errorf("%s: %d %s, want %d", c.why, code, body, c.code)
		}
		if changed := f.Status().Volume == 41; changed != (c.code == 200) {
			t.Errorf("%s: changed is %v", c.why, changed)
		}
	}
}

const goodKey = "correct-horse"

func TestKey(t *testing.T) {
	_, s, h := serve(t, goodKey)
	for _, r := range s.routes() {
		path := strings.ReplaceAll(r.path, "{$}", "")
		code, _, _ := ask(t, h, r.method, path, "{}", asJSON)
		want := 401
		if r.open {
			want = 200
		}
		if path == "/api/v1/events" {
			continue // TestEventsKey
		}
		if code != want {
			t.Errorf("%s %s without a key: %d, want %d", r.method, path, code, want)
		}
	}
	for _, header := range []string{"Authorization: Bearer " + goodKey, "Authorization: bearer " + goodKey} {
		if code, _, _ := ask(t, h, "GET", "/api/v1/status", "", header); code != 200 {
			t.Errorf("%q: %d", header, code)
		}
	}
	if code, _, _ := ask(t, h, "GET", "/api/v1/status?key="+goodKey, ""); code != 401 {
		t.Errorf("a key in the URL: %d, want 401", code)
	}
}

// TestWrongKeys: after a few wrong keys an address waits, and time lets it in
// again; a request without any key is no attempt.
func TestWrongKeys(t *testing.T) {
	_, s, h := serve(t, goodKey)
	now := time.Unix(1000, 0)
	s.guard.now = func() time.Time { return now }
	try := func(key string) int {
		code, body, _ := ask(t, h, "GET", "/api/v1/status", "", "Authorization: Bearer "+key)
		if strings.Contains(body, goodKey) {
			t.Error("the answer tells the key")
		}
		return code
	}
	for range 20 {
		if code, _, _ := ask(t, h, "GET", "/api/v1/status", ""); code != 401 {
			t.Fatalf("no key: %d", code)
		}
	}
	for i := range maxFailures {
		if code := try("wrong"); code != 401 {
			t.Fatalf("wrong key %d: %d", i, code)
		}
	}
	if code := try(goodKey); code != 429 {
		t.Errorf("the right key after too many wrong ones: %d, want 429", code)
	}
	now = now.Add(failureDrain + time.Second)
	if code := try(goodKey); code != 200 {
		t.Errorf("the right key later: %d, want 200", code)
	}
}

func TestFailuresAreBounded(t *testing.T) {
	g := newGuard(goodKey, "")
	now := time.Unix(1000, 0)
	g.now = func() time.Time { return now }
	for range maxFailures {
		g.check("wrong", "192.0.2.1:1")
	}
	for i := range 3 * maxAddresses {
		g.check("wrong", "[2001:db8:"+octet(i>>8)+":"+octet(i)+"::1]:1")
	}
	if len(g.failed) > maxAddresses {
		t.Errorf("%d addresses kept, want at most %d", len(g.failed), maxAddresses)
	}
	if !g.blocked("192.0.2.1:2") {
		t.Error("a flood from elsewhere let the first address in again")
	}
	if a, b := network("[2001:db8::1]:1"), network("[2001:db8::ffff:2]:9"); a != b {
		t.Errorf("one IPv6 host counts as two: %v and %v", a, b)
	}
}

func octet(i int) string {
	return string("0123456789abcdef"[i>>4&15]) + string("0123456789abcdef"[i&15])
}

func TestSync(t *testing.T) {
	f, _, h := serve(t, "")
	f.listeners = []Listener{
		{ID: "a", Name: "A", Playing: true, HasReport: true, DeviationUS: 10, BoundUS: 2},
		{ID: "b", Name: "B", Playing: true, HasReport: true, DeviationUS: -5, BoundUS: 3},
		{ID: "c", Name: "C", Playing: false, HasReport: true, DeviationUS: 900},
		{ID: "d", Name: "D", Playing: true, HasReport: true, DeviationUS: 0, BoundUS: 1},
		{ID: "e", Name: "E", Playing: true, DeviationUS: -900},
	}
	var v Sync
	_, body, _ := ask(t, h, "GET", "/api/v1/sync", "")
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Listeners) != 5 || len(v.Pairs) != 3 || v.Channel != "house" {
		t.Fatalf("got %+v", v)
	}
	if w := v.Worst; w == nil || w.AID != "a" || w.BID != "b" || w.DifferenceUS != 15 || w.BoundUS != 5 {
		t.Errorf("the worst pair is %+v", w)
	}
	ask(t, h, "GET", "/api/v1/sync", "")
	if f.asked != 1 {
		t.Errorf("the source was asked %d times for two requests at once", f.asked)
	}
}

func TestSyncWithoutSource(t *testing.T) {
	f, _, h := serve(t, "")
	f.lost = errors.New("source x does not answer")
	if code, body, _ := ask(t, h, "GET", "/api/v1/sync", ""); code != http.StatusBadGateway || !strings.Contains(body, "does not answer") {
		t.Errorf("%d %s", code, body)
	}
}

func TestManyListeners(t *testing.T) {
	all := make([]Listener, 256)
	for i := range all {
		all[i] = Listener{Playing: true, HasReport: true, DeviationUS: float64(i)}
	}
	pairs, worst := Align(all)
	if len(pairs) != maxPaired*(maxPaired-1)/2 {
		t.Errorf("%d pairs", len(pairs))
	}
	if worst == nil || abs(worst.DifferenceUS) != 255 {
		t.Errorf("worst %+v: those beyond the pairs count too", worst)
	}
}

// TestArtwork: only pictures pass, whatever the source calls them.
func TestArtwork(t *testing.T) {
	f, _, h := serve(t, "")
	for _, c := range []struct {
		art  string
		code int
		kind string
	}{
		{"", 404, ""}, {"<script>alert(1)</script>", 404, ""}, {"<svg xmlns='http://www.w3.org/2000/svg'/>", 404, ""},
		{"\x89PNG\x0D\x0A\x1A\x0A....", 200, "image/png"}, {"\xFF\xD8\xFF\xE0....", 200, "image/jpeg"},
	} {
		f.art = []byte(c.art)
		code, _, header := ask(t, h, "GET", "/api/v1/artwork", "")
		if code != c.code || c.kind != "" && header.Get("Content-Type") != c.kind {
			t.Errorf("%.20q: %d %s, want %d %s", c.art, code, header.Get("Content-Type"), c.code, c.kind)
		}
	}
}

// TestPage: every file the page asks for is served, with its policy, and it asks
// for nothing from elsewhere.
func TestPage(t *testing.T) {
	_, _, h := serve(t, goodKey)
	_, index, header := ask(t, h, "GET", "/", "")
	if !strings.Contains(header.Get("Content-Security-Policy"), "script-src 'self'") || strings.Contains(header.Get("Content-Security-Policy"), "unsafe") {
		t.Errorf("policy %q", header.Get("Content-Security-Policy"))
	}
	for _, want := range []string{`href="style.css"`, `src="app.js"`, `href="icon.svg"`} {
		if !strings.Contains(index, want) {
			t.Errorf("the page does not ask for %s", want)
		}
	}
	for file, kind := range map[string]string{"style.css": "text/css", "app.js": "text/javascript", "api.js": "text/javascript",
		"plot.js": "text/javascript", "health.js": "text/javascript", "text.js": "text/javascript", "icon.svg": "image/svg+xml"} {
		code, body, header := ask(t, h, "GET", "/"+file, "")
		if code != 200 || !strings.HasPrefix(header.Get("Content-Type"), kind) {
			t.Errorf("%s: %d %s", file, code, header.Get("Content-Type"))
		}
		for _, foreign := range []string{"https://", "//cdn", "@import", "eval("} {
			if strings.Contains(strings.ReplaceAll(body, "http://www.w3.org", ""), foreign) {
				t.Errorf("%s contains %q", file, foreign)
			}
		}
		for line := range strings.Lines(body) {
			if _, from, ok := strings.Cut(line, ` from "./`); ok {
				name, _, _ := strings.Cut(from, `"`)
				if code, _, _ := ask(t, h, "GET", "/"+name, ""); code != 200 {
					t.Errorf("%s imports %s: %d", file, name, code)
				}
			}
		}
	}
	if _, _, header := ask(t, h, "GET", "/nothing", ""); header.Get("Content-Type") != "application/json" {
		t.Error("what is not there is not refused in JSON")
	}
}

func TestMetrics(t *testing.T) {
	f, _, h := serve(t, "")
	_ = f.set(func(s *Status) { s.Packets.Received, s.Timing.Reported, s.Timing.OffsetUS = 12345678901, true, -2.5 })
	_, body, _ := ask(t, h, "GET", "/metrics", "")
	for _, want := range []string{
		"# HELP tutti_volume_percent volume, 0 to 100\n# TYPE tutti_volume_percent gauge\ntutti_volume_percent 40\n",
		"# TYPE tutti_packets_received_total counter\ntutti_packets_received_total 12345678901\n",
		"tutti_playing 1\n", "tutti_offset_seconds -2.5e-06\n", "tutti_http_requests_total 1\n",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
	_ = f.set(func(s *Status) { s.Timing.Reported = false })
	if _, body, _ := ask(t, h, "GET", "/metrics", ""); !strings.Contains(body, "tutti_offset_seconds NaN\n") {
		t.Error("an offset without meaning is not NaN")
	}
	for line := range strings.Lines(body) {
		name, help, ok := strings.Cut(strings.TrimPrefix(line, "# HELP "), " ")
		if strings.HasPrefix(line, "# HELP") && (!ok || len(help) < 10 || !strings.HasPrefix(name, "tutti_")) {
			t.Errorf("no help: %q", line)
		}
	}
}
