package hotspot

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"errors"
	"html/template"
	"net/http"
	"strings"
)

// Limits on what somebody may send.
const (
	maxForm   = 4 << 10
	MaxHeader = 16 << 10 // bytes, for the caller's server
)

// Page is the one page, and sends everybody there.
type Page struct {
	Network  string // ours
	Host     string // of the speaker in the network it is going to join
	Networks []WiFi
	Before   Choice // what the form shows
	Problem  string // why it is shown again
	token    string
	chosen   chan Choice
	look     *template.Template
}

//go:embed page.html
var pageText string

// NewPage returns a page that shows nothing yet.
func NewPage() (*Page, error) {
	look, err := template.New("page").Parse(pageText)
	return &Page{token: rand.Text(), chosen: make(chan Choice, 1), look: look}, err
}

// Chosen delivers one choice that was found possible.
func (p *Page) Chosen() <-chan Choice { return p.chosen }

// ServeHTTP implements http.Handler. Whatever is asked of other hosts is what phones
// and computers try in order to find out whether a network leads out: they are sent
// to the page, and then show it. The form is taken only from the page itself: it has
// to bring the page's token, and a browser that says where it comes from must have
// been here.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	switch {
	case r.Host != Address:
		http.Redirect(w, r, "http://"+Address+"/", http.StatusFound)
	case r.Method == http.MethodPost && r.URL.Path == "/":
		p.take(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		http.Error(w, "GET and POST of / only", http.StatusMethodNotAllowed)
	case r.URL.Path != "/":
		http.Redirect(w, r, "/", http.StatusFound)
	default:
		c := p.Before
		if c.Country == "" {
			c.Country = countryOf(r.Header.Get("Accept-Language"))
		}
		p.show(w, http.StatusOK, view{Choice: c, Problem: p.Problem})
	}
}

// take reads a form.
func (p *Page) take(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		http.Error(w, "only this page's form is taken", http.StatusUnsupportedMediaType)
		return
	}
	if err := r.ParseForm(); err != nil {
		status := http.StatusBadRequest
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, "the form cannot be read: go back and try again", status)
		return
	}
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+Address {
		http.Error(w, "this form comes from elsewhere", http.StatusForbidden)
		return
	}
	c := ReadForm(r.PostForm)
	if subtle.ConstantTimeCompare([]byte(r.PostForm.Get("token")), []byte(p.token)) != 1 {
		p.show(w, http.StatusForbidden, view{Choice: c, Problem: "The page was an old one. Please send it again."})
		return
	}
	if err := c.Check(p.Networks); err != nil {
		v := view{Choice: c, Problem: err.Error()}
		if f, ok := errors.AsType[*Fault](err); ok {
			v.Field = f.Field
		}
		p.show(w, http.StatusUnprocessableEntity, v)
		return
	}
	p.show(w, http.StatusOK, view{Choice: c, Done: true})
	select {
	case p.chosen <- c:
	default: // it was sent twice
	}
}

// view is what the template sees.
type view struct {
	Choice
	*Page
	Problem, Field string
	Other          string // name of a network that is not in the list
	OtherValue     string
	Token          string
	Done           bool
}

// show writes the page whole, so that it has arrived before the network goes.
func (p *Page) show(w http.ResponseWriter, status int, v view) {
	v.Page, v.Token, v.Other, v.OtherValue = p, p.token, v.WiFi, otherValue
	v.Passphrase = ""
	for _, one := range p.Networks {
		if one.Name == v.WiFi {
			v.Other = ""
		}
	}
	var b bytes.Buffer
	if err := p.look.Execute(&b, v); err != nil {
		http.Error(w, "the page cannot be shown: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}
