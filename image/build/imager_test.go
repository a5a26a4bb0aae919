package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Each key that Imager's schema asks for is there, with what the files say.
func TestManifest(t *testing.T) {
	dir := t.TempDir()
	pi, err := findBoard("pi64")
	if err != nil {
		t.Fatal(err)
	}
	b := &build{options: options{board: pi, version: "1.2", at: time.Unix(1795394940, 0).UTC(), out: dir, url: "https://example.org/", xz: true}}
	for ending, text := range map[string]string{".img": "abc", ".img.xz": "ab"} {
		if err := os.WriteFile(b.path(ending), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.manifest(); err != nil {
		t.Fatal(err)
	}
	b.url, b.board.title = "", "another"
	for range 2 {
		if _, err := b.manifest(); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "tutti-imager.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		All []map[string]any `json:"os_list"`
	}
	if err := json.Unmarshal(text, &list); err != nil || len(list.All) != 2 {
		t.Fatalf("%v: %s", err, text)
	}
	for key, want := range map[string]any{
		"name": "Tutti speaker, " + pi.title, "url": "https://example.org/tutti-pi64-1.2.img.xz", "release_date": "2026-11-23", "extract_size": 3.0, "image_download_size": 2.0,
		"extract_sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "init_format": "cloudinit",
		"image_download_sha256": "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603",
	} {
		if got := list.All[0][key]; got != want {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
	for _, key := range []string{"description", "icon", "website"} {
		if list.All[0][key] == "" {
			t.Errorf("no %s", key)
		}
	}
	if devices, ok := list.All[0]["devices"].([]any); !ok || len(devices) != len(pi.devices) {
		t.Errorf("devices: %v", list.All[0]["devices"])
	}
	if u := list.All[1]["url"].(string); strings.Contains(u, "/") {
		t.Errorf("without -url: %s", u)
	}
}
