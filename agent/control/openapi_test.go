package control

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// outline reads what this test needs of openapi.yaml: the key of every line, with
// the keys it is under. A flow value ({…}) stays on its line.
func outline(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	var path []string
	var indents []int
	for line := range strings.Lines(string(openAPI)) {
		text := strings.TrimRight(line, "\n ")
		body := strings.TrimLeft(text, " ")
		key, value, ok := strings.Cut(body, ":")
		if !ok || strings.HasPrefix(body, "- ") || strings.HasPrefix(body, "{") {
			continue
		}
		indent := len(text) - len(body)
		for len(indents) > 0 && indents[len(indents)-1] >= indent {
			path, indents = path[:len(path)-1], indents[:len(indents)-1]
		}
		path, indents = append(path, strings.Trim(key, `"`)), append(indents, indent)
		full := strings.Join(path, " ")
		if _, twice := found[full]; twice {
			t.Errorf("%s is described twice", full)
		}
		found[full] = strings.TrimSpace(value)
	}
	return found
}

// under lists the keys right below a path.
func under(all map[string]string, path string) (names []string) {
	for full := range all {
		rest, ok := strings.CutPrefix(full, path+" ")
		if ok && !strings.Contains(rest, " ") {
			names = append(names, rest)
		}
	}
	slices.Sort(names)
	return names
}

func TestRoutesAreDescribed(t *testing.T) {
	all := outline(t)
	_, s, _ := serve(t, "")
	var want []string
	for _, r := range s.routes() {
		if strings.HasPrefix(r.path, "/api/") || r.path == "/metrics" || r.path == "/healthz" {
			want = append(want, strings.ToLower(r.method)+" "+r.path)
		}
	}
	var got []string
	for _, path := range under(all, "paths") {
		for _, method := range under(all, "paths "+path) {
			got = append(got, method+" "+path)
			if len(under(all, "paths "+path+" "+method+" responses")) == 0 {
				t.Errorf("%s %s has no responses", method, path)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("described %v\nserved    %v", got, want)
	}
}

func TestFieldsAreDescribed(t *testing.T) {
	all := outline(t)
	types := []any{Failure{}, Health{}, VolumeRequest{}, MuteRequest{}, TrimRequest{}, MapRequest{}, NameRequest{}, JoinRequest{}, KeyMessage{},
		Event{}, Status{}, Hardware{}, Stream{}, Path{}, Timing{}, Packets{}, Output{}, Source{}, Peer{}, Sync{}, Pair{}, Listener{}}
	var names []string
	for _, v := range types {
		typ := reflect.TypeOf(v)
		names = append(names, typ.Name())
		var want []string
		for _, f := range reflect.VisibleFields(typ) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			want = append(want, name)
			at := "components schemas " + typ.Name() + " properties " + name
			if kind := kindOf(f.Type); !strings.Contains(all[at], kind) {
				t.Errorf("%s.%s is a %s, described as %q", typ.Name(), name, kind, all[at])
			}
		}
		slices.Sort(want)
		if got := under(all, "components schemas "+typ.Name()+" properties"); !slices.Equal(got, want) {
			t.Errorf("%s: described %v\nin code %v", typ.Name(), got, want)
		}
	}
	slices.Sort(names)
	if got := under(all, "components schemas"); !slices.Equal(got, names) {
		t.Errorf("described %v\nchecked   %v", got, names)
	}
}

// kindOf is how a Go type is described.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return kindOf(t.Elem())
	case reflect.Bool:
		return "type: boolean"
	case reflect.Int, reflect.Int64, reflect.Uint32, reflect.Uint64:
		return "type: integer"
	case reflect.Float64:
		return "type: number"
	case reflect.Slice:
		return "items: {$ref: \"#/components/schemas/" + t.Elem().Name()
	case reflect.Struct:
		if t.Name() == "Time" {
			return "format: date-time"
		}
		return "#/components/schemas/" + t.Name()
	}
	return "type: string"
}
