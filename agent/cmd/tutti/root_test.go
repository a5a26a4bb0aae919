package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/tutti-audio/tutti/agent/config"
)

// command runs the program in this process.
func command(t *testing.T, env map[string]string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, surroundings{out: &o, err: &e, getenv: func(n string) string { return env[n] }})
	return code, o.String(), e.String()
}

// each visits every command.
func everyCommand(visit func(*cobra.Command)) {
	root, _ := commandTree(surroundings{out: &bytes.Buffer{}, err: &bytes.Buffer{}, getenv: os.Getenv})
	for _, c := range root.Commands() {
		visit(c)
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	n := 0
	everyCommand(func(c *cobra.Command) {
		n++
		if c.Short == "" || len(c.Long) < len(c.Short) || !strings.Contains(c.Example, "tutti "+c.Name()) || c.GroupID == "" {
			t.Errorf("%s: it needs a short and a long text, an example and a group", c.Name())
		}
		code, out, _ := command(t, nil, c.Name(), "--help")
		if code != exitOK || !strings.Contains(out, strings.SplitN(c.Long, "\n", 2)[0]) {
			t.Errorf("tutti %s --help: %d\n%s", c.Name(), code, out)
		}
		for line := range strings.Lines(c.Long) {
			if len([]rune(line)) > 92 {
				t.Errorf("%s: a line of %d characters: %s", c.Name(), len([]rune(line)), line)
			}
		}
	})
	if n != 13 {
		t.Errorf("%d commands", n)
	}
}

func TestMisuse(t *testing.T) {
	for _, c := range []struct {
		args string
		want string
	}{
		{"runn", "run"}, {"volum x", "volume"}, {"nonsense", "unknown command"},
		{"run --volum 3", "did you mean --volume?"},
		{"run --volume 300", "use 0 to 100"},
		{"run --volume loud", "integer"},
		{"run --output plse", `did you mean "pulse"?`},
		{"run --key short", "8 to 128"},
		{"run --config /does/not/exist", "--print-config"},
		{"run extra", "unknown command"},
		{"send", "requires at least 1 arg"},
		{"send tune --codec mp3", "choose pcm16"},
		{"send tune --latency wfi", "did you mean wifi?"},
		{"send tune --latency 1ms", "use 2ms to 10s"},
		{"send tune --channel ../x", "channel name"},
		{"send tune --group 10.0.0.1:5004", "multicast address"},
		{"send tune --group 239.1.1.1:65535", "multicast address"},
		{"send tune --http 8401", "address:port"},
		{"send tune --codec opus --bitrate 8", "32 to 320"},
		{"send tune --codec opus --packet 1ms", "2.5ms"},
		{"send tune --codec flac --bits 8", "16 or 24"},
		{"send tune --packet 20ms --latency 20ms", "no room"},
		{"volume", "accepts between 1 and 2"},
		{"volume Kitchen 101", "use 0 to 100"},
		{"volume Kitchen loud", "use 0 to 100"},
		{"mute Kitchen maybe", "on, off or toggle"},
		{"trim Kitchen nan", "milliseconds"},
		{"join Kitchen", "accepts 2 arg"},
		{"ls --waitt 1s", "did you mean --wait?"},
		{"status --address nowhere:x", ""},
	} {
		code, out, errs := command(t, nil, strings.Fields(c.args)...)
		if code != exitMisused && c.want != "" || code == exitOK || out != "" || !strings.HasPrefix(errs, "tutti: ") || !strings.Contains(errs, c.want) {
			t.Errorf("tutti %s: %d, %q, %q; want %d with %q", c.args, code, out, errs, exitMisused, c.want)
		}
	}
}

func TestSettings(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "tutti.toml")
	if err := os.WriteFile(file, []byte("volume = 10\nname = \"From file\"\n[http]\nlisten = \":1234\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"TUTTI_KEY": "correct-horse", "XDG_STATE_HOME": dir}
	code, out, errs := command(t, env, "run", "--config", file, "--volume", "20", "--trim", "-3", "--tolerant", "--print-config")
	if code != exitOK {
		t.Fatal(errs)
	}
	c := config.Default()
	if err := config.Parse("printed", []byte(out), &c); err != nil {
		t.Fatal(err)
	}
	if c.Volume != 20 || c.Name != "From file" || c.HTTP.Listen != ":1234" || c.TrimMS != -3 || !c.Tolerant || c.StateDir != filepath.Join(dir, "tutti") {
		t.Errorf("got %+v", c)
	}
	if strings.Contains(out, "correct-horse") {
		t.Error("the key is printed")
	}
	if err := os.WriteFile(file, []byte("\nvolum = 10\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	code, _, errs = command(t, nil, "run", "--config", file)
	if code != exitMisused || !strings.Contains(errs, `tutti.toml:2: unknown key "volum": did you mean "volume"?`) {
		t.Errorf("%d %s", code, errs)
	}
	if code, _, errs = command(t, map[string]string{"TUTTI_KEY": "x"}, "run"); code != exitMisused || !strings.Contains(errs, "TUTTI_KEY") {
		t.Errorf("%d %s", code, errs)
	}
}

func TestVersionAndCompletion(t *testing.T) {
	if code, out, _ := command(t, nil, "version"); code != exitOK || out != "tutti "+version+"\n" {
		t.Errorf("version: %d %q", code, out)
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if code, out, errs := command(t, nil, "completion", shell); code != exitOK || !strings.Contains(out, "tutti") {
			t.Errorf("completion %s: %d %s", shell, code, errs)
		}
	}
	for args, want := range map[string]string{
		"__complete mute Kitchen to":   "toggle",
		"__complete send --codec ":     "flac",
		"__complete send --latency wi": "wifi",
		"__complete ls --interface l":  "lo",
		"__complete vol":               "volume",
	} {
		words := strings.Split(args, " ")
		if code, out, errs := command(t, nil, words...); code != exitOK || !strings.Contains(out, want) {
			t.Errorf("%s: %d %q %s", args, code, out, errs)
		}
	}
}

func TestNumbersLast(t *testing.T) {
	for args, want := range map[string]string{
		"trim Kitchen -3":               "trim Kitchen -- -3",
		"trim Kitchen -3.5 --key x":     "trim Kitchen --key x -- -3.5",
		"volume all 5":                  "volume all 5",
		"volume Kitchen -- -5":          "volume Kitchen -- -5",
		"run --trim -3 --tolerant":      "run --trim -3 --tolerant",
		"send --name a - --format s16":  "send --name a - --format s16",
		"volume --wait 2s -- Kitchen 3": "volume --wait 2s -- Kitchen 3",
	} {
		if got := strings.Join(numbersLast(strings.Fields(args)), " "); got != want {
			t.Errorf("%s: got %s, want %s", args, got, want)
		}
	}
}

// TestStopped: a command that is interrupted ends.
func TestStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var o, e bytes.Buffer
	code := run(ctx, []string{"sync", "--watch", "--interface", "lo", "--wait", "1h"}, surroundings{out: &o, err: &e, getenv: os.Getenv})
	if code != exitOK && code != exitFailed {
		t.Errorf("exit code %d: %s", code, e.String())
	}
}
