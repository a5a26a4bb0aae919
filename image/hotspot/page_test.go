package hotspot

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func testPage(t *testing.T) *Page {
	t.Helper()
	p, err := NewPage()
	if err != nil {
		t.Fatal(err)
	}
	p.Network, p.Host = "Tutti-ABCD", "tutti-abcd"
	p.Networks = []WiFi{{Name: "Home & <b>", Signal: -50}, {Name: "Café", Signal: -70, Open: true}, {Name: "New", Signal: -80, Cannot: "WPA3 only"}}
	return p
}

func serve(p *Page, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w
}

func body(t *testing.T, r *httptest.ResponseRecorder) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func get(address string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, address, nil)
	r.Header.Set("Accept-Language", "de-CH,de;q=0.9")
	return r
}

func post(f url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://"+Address+"/", strings.NewReader(f.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "http://"+Address)
	return r
}

// What phones and computers ask in order to find out where they are.
func TestProbes(t *testing.T) {
	p := testPage(t)
	for _, address := range []string{
		"http://connectivitycheck.gstatic.com/generate_204", "http://captive.apple.com/hotspot-detect.html", "http://www.msftconnecttest.com/connecttest.txt",
		"http://www.msftncsi.com/ncsi.txt", "http://detectportal.firefox.com/success.txt", "http://nmcheck.gnome.org/", "http://192.168.73.1:81/",
	} {
		if r := serve(p, get(address)); r.Code != http.StatusFound || r.Header().Get("Location") != "http://192.168.73.1/" {
			t.Errorf("%s: %d to %q", address, r.Code, r.Header().Get("Location"))
		}
	}
	if r := serve(p, get("http://192.168.73.1/generate_204")); r.Code != http.StatusFound || r.Header().Get("Location") != "/" {
		t.Errorf("%d to %q", r.Code, r.Header().Get("Location"))
	}
}

func TestShow(t *testing.T) {
	p := testPage(t)
	p.Problem = "“Home” did not take the passphrase"
	p.Before = Choice{WiFi: "Hidden", Passphrase: "secret thing", Name: `"><script>`}
	r := serve(p, get("http://192.168.73.1/"))
	text := body(t, r)
	for _, want := range []string{"Tutti-ABCD", "Home &amp; &lt;b&gt;", "did not take the passphrase", `value="CH"`, `value="Hidden"`, "WPA3 only"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	for _, bad := range []string{"<script", "secret thing", "<b>\"", "http://", "https://", "ZgotmplZ"} {
		if strings.Contains(text, bad) {
			t.Errorf("%q is in the page", bad)
		}
	}
	if r.Code != http.StatusOK || r.Header().Get("Cache-Control") != "no-store" || !strings.Contains(r.Header().Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%d %v", r.Code, r.Header())
	}
	if len(text) > 16<<10 {
		t.Errorf("the page has %d bytes", len(text))
	}
}

func formOf(t *testing.T, p *Page) url.Values {
	t.Helper()
	found := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(body(t, serve(p, get("http://192.168.73.1/"))))
	if found == nil {
		t.Fatal("the page has no token")
	}
	return url.Values{"token": {found[1]}, "wifi": {"Home & <b>"}, "passphrase": {" with space "}, "country": {"de"}, "name": {" Shelf "}, "room": {""}}
}

func TestPost(t *testing.T) {
	p := testPage(t)
	f := formOf(t, p)
	r := serve(p, post(f))
	if text := body(t, r); r.Code != http.StatusOK || !strings.Contains(text, "Joining") || !strings.Contains(text, "http://tutti-abcd.local:8400") {
		t.Errorf("%d\n%s", r.Code, text)
	}
	_ = serve(p, post(f)) // a second press does not block
	if c := <-p.Chosen(); c != (Choice{WiFi: "Home & <b>", Passphrase: " with space ", Country: "DE", Name: "Shelf"}) {
		t.Errorf("%+v", c)
	}
	f.Set("wifi", otherValue)
	f.Set("other", "Hidden")
	_ = serve(p, post(f))
	if c := <-p.Chosen(); c.WiFi != "Hidden" {
		t.Errorf("%+v", c)
	}
}

func TestPostRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(f url.Values, r *http.Request) *http.Request
		status int
	}{
		"no token":      {func(f url.Values, _ *http.Request) *http.Request { f.Del("token"); return post(f) }, http.StatusForbidden},
		"foreign token": {func(f url.Values, _ *http.Request) *http.Request { f.Set("token", "x"); return post(f) }, http.StatusForbidden},
		"foreign page": {func(_ url.Values, r *http.Request) *http.Request {
			r.Header.Set("Origin", "http://evil.example")
			return r
		}, http.StatusForbidden},
		"page of nobody": {func(_ url.Values, r *http.Request) *http.Request { r.Header.Set("Origin", "null"); return r }, http.StatusForbidden},
		"foreign name":   {func(_ url.Values, r *http.Request) *http.Request { r.Host = "evil.example"; return r }, http.StatusFound},
		"elsewhere":      {func(_ url.Values, r *http.Request) *http.Request { r.URL.Path = "/x"; return r }, http.StatusMethodNotAllowed},
		"another kind": {func(_ url.Values, r *http.Request) *http.Request {
			r.Header.Set("Content-Type", "text/plain")
			return r
		}, http.StatusUnsupportedMediaType},
		"too long": {func(f url.Values, _ *http.Request) *http.Request {
			f.Set("name", strings.Repeat("x", maxForm))
			return post(f)
		}, http.StatusRequestEntityTooLarge},
		"no form": {func(_ url.Values, r *http.Request) *http.Request {
			r.Body = io.NopCloser(strings.NewReader("%zz"))
			return r
		}, http.StatusBadRequest},
		"no passphrase":    {func(f url.Values, _ *http.Request) *http.Request { f.Del("passphrase"); return post(f) }, http.StatusUnprocessableEntity},
		"another method":   {func(_ url.Values, r *http.Request) *http.Request { r.Method = http.MethodDelete; return r }, http.StatusMethodNotAllowed},
		"cannot be joined": {func(f url.Values, _ *http.Request) *http.Request { f.Set("wifi", "New"); return post(f) }, http.StatusUnprocessableEntity},
	} {
		p := testPage(t)
		f := formOf(t, p)
		if r := serve(p, c.change(f, post(f))); r.Code != c.status {
			t.Errorf("%s: %d, want %d", name, r.Code, c.status)
		}
		select {
		case got := <-p.Chosen():
			t.Errorf("%s: taken: %+v", name, got)
		default:
		}
	}
}

func FuzzForm(f *testing.F) {
	f.Add("wifi=x&passphrase=12345678&country=de&name=a&room=b", "bssid\n02:00\t2437\t-71\t[ESS]\tx\\xff\\\n")
	f.Fuzz(func(t *testing.T, form, scan string) {
		values, err := url.ParseQuery(form)
		if err != nil {
			return
		}
		c := ReadForm(values)
		if c.Check(ParseScan(scan, "")) != nil {
			return
		}
		conf, err := c.Supplicant()
		if err != nil || strings.Count(string(conf), "\n\tssid=") != 1 || strings.Count(string(conf), "}") != 1 {
			t.Errorf("%+v gives %v\n%s", c, err, conf)
		}
	})
}
