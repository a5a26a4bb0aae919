package config

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestPrintedFileReadsBack(t *testing.T) {
	want := Default()
	want.Origins, want.Limits.Members, want.Public = []string{"a.example", "*"}, 77, `re"lay`
	var b bytes.Buffer
	if err := Print(&b, want); err != nil {
		t.Fatal(err)
	}
	got, err := Parse("printed", b.Bytes())
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	got.TLS.Domains, got.TURN.URLs = nil, nil // empty lists, as printed
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	c := Default()
	c.TURN.Secret, c.Channel = "geheim", map[string]Channel{"club": {Password: "geheim", SendPassword: "geheim"}}
	var b bytes.Buffer
	if err := Print(&b, c); err != nil || strings.Contains(b.String(), "geheim") || !strings.Contains(b.String(), `[channel."club"]`) {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestProblemsNameFileLineAndRemedy(t *testing.T) {
	for text, want := range map[string]string{
		"\nlisten = \"5100\"":                 `f:2: listen: "5100" is no address to listen on: use address:port`,
		"listn = \":1\"":                      `f:1: unknown key "listn": did you mean "listen"?`,
		"[limits]\n\nmember = 5":              `f:3: unknown key "limits.member": did you mean "limits.members"?`,
		"members = 5":                         `did you mean "limits.members"?`,
		"[limits]\nmembers = 1":               `f:2: limits.members: 1 is out of range: use 2 to 100000`,
		"drain_s = \"x\"":                     `f:1: drain_s: `,
		"drain_s = ":                          `f:1: `,
		"log_level = \"warning\"":             `did you mean "warn"?`,
		"[turn]\nmode = \"embeddde\"":         `did you mean "embedded"?`,
		"[turn]\npublic = \"me.example\"":     `f:2: turn.public: the embedded server gives out an IP address`,
		"[turn]\nports = \"9-3\"":             `f:2: turn.ports: "9-3" is no range`,
		"[tls]\ncertificate = \"x\"":          `f:2: tls.certificate: a certificate and its key go together`,
		"[channel.\"a b\"]\npassword = \"x\"": `f:1: channel.a b: channel name "a b"`,
		"[channel.\"a/b\"]\npasword = \"x\"":  `f:2: unknown key "channel.a/b.pasword": did you mean "channel.a/b.password"?`,
		"xyzzy = 1":                           "`tutti-relay run --print-config` lists them all",
	} {
		if _, err := Parse("f", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
}

func TestChannels(t *testing.T) {
	c, err := Parse("f", []byte("admit_unproven = true\n[channel.\"house/party\"]\npassword = \"p\"\nsend_password = \"s\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := c.Settings()
	if a := s.Channels["house/party"]; a.Password != "p" || a.SendPassword != "s" || !s.AdmitUnproven || s.MaxMembers != 1000 {
		t.Errorf("%+v", s)
	}
}

// TestDocumentedFile: docs/tutti-relay.toml is what the program prints.
func TestDocumentedFile(t *testing.T) {
	var want bytes.Buffer
	if err := Print(&want, Default()); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join("..", "..", "docs", "tutti-relay.toml"))
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("docs/tutti-relay.toml is not what `tutti-relay run --print-config` prints: renew it (%v)", err)
	}
}

func TestKeysAreWhole(t *testing.T) {
	c := Default()
	for _, k := range keys(reflect.ValueOf(&c).Elem(), "") {
		if k.tag.Get("doc") == "" || k.name == "" {
			t.Errorf("key %q has no description", k.name)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "--print-config") {
		t.Error(err)
	}
}
