package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

//go:embed icon.svg
var icon []byte

// osList is what Raspberry Pi Imager reads to offer an image, with its settings for
// name, Wi-Fi and SSH. The fields are those of doc/json-schema/os-list-schema.json
// and doc/schema-notes.md in Imager's repository.
type osList struct {
	List []osEntry `json:"os_list"`
}

type osEntry struct {
	Name           string   `json:"name"`
	Description    string   `json:"description"`
	Icon           string   `json:"icon"`
	Website        string   `json:"website"`
	URL            string   `json:"url"`
	ReleaseDate    string   `json:"release_date"`
	ExtractSize    int64    `json:"extract_size"`
	ExtractSHA256  string   `json:"extract_sha256"`
	DownloadSize   int64    `json:"image_download_size"`
	DownloadSHA256 string   `json:"image_download_sha256"`
	Devices        []string `json:"devices"`
	InitFormat     string   `json:"init_format"`
}

const (
	website    = "https://github.com/tutti-audio/tutti"
	initFormat = "cloudinit" // image/setup reads the part of it that Imager writes
)

// compress writes the image as .xz beside it. Blocks of one size, made in parallel,
// give the same bytes whatever the number of threads is, as long as it is not one.
func (b *build) compress(ctx context.Context) (string, error) {
	threads := max(2, runtime.NumCPU())
	err := run(exec.CommandContext(ctx, "xz", "--keep", "--force", "-6", "--block-size=32MiB", fmt.Sprintf("-T%d", threads), b.path(".img")))
	if err != nil {
		return "", err
	}
	info, err := os.Stat(b.path(".img.xz"))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s, %d MB", b.path(".img.xz"), info.Size()/1e6), nil
}

// manifest puts the image into tutti-imager.json, in place of an older one for the
// same board.
func (b *build) manifest() (string, error) {
	e, err := b.entry()
	if err != nil {
		return "", err
	}
	name := filepath.Join(b.out, "tutti-imager.json")
	old, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	text, err := merge(old, e)
	if err != nil {
		return "", fmt.Errorf("%s: %w: remove it", name, err)
	}
	return name, os.WriteFile(name, text, 0o644)
}

// merge adds an entry to a list, or replaces the one that has its name.
func merge(old []byte, e osEntry) ([]byte, error) {
	var list osList
	if len(old) > 0 {
		if err := json.Unmarshal(old, &list); err != nil {
			return nil, err
		}
	}
	found := false
	for i := range list.List {
		if list.List[i].Name == e.Name {
			list.List[i], found = e, true
		}
	}
	if !found {
		list.List = append(list.List, e)
	}
	text, err := json.MarshalIndent(list, "", "  ")
	return append(text, '\n'), err
}

// entry describes the image, and what is downloaded of it.
func (b *build) entry() (e osEntry, err error) {
	download := b.path(".img")
	if b.xz {
		download += ".xz"
	}
	e = osEntry{
		Name: "Tutti speaker, " + b.board.title, Description: "Speakers that play one stream as one instrument. Version " + b.version,
		Icon: "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(bytes.TrimSpace(icon)), Website: website,
		URL: address(b.url, filepath.Base(download)), ReleaseDate: b.at.Format("2006-01-02"), Devices: b.board.devices, InitFormat: initFormat,
	}
	if e.Devices == nil {
		e.Devices = []string{}
	}
	if e.ExtractSize, e.ExtractSHA256, err = digest(b.path(".img")); err != nil {
		return e, err
	}
	e.DownloadSize, e.DownloadSHA256 = e.ExtractSize, e.ExtractSHA256
	if b.xz {
		e.DownloadSize, e.DownloadSHA256, err = digest(download)
	}
	return e, err
}

// address is where a file is: below a folder's address, or at one that names it.
func address(url, file string) string {
	if url == "" || strings.HasSuffix(url, "/") {
		return url + file
	}
	return url
}

func digest(name string) (size int64, sum string, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return size, hex.EncodeToString(h.Sum(nil)), err
}
