package source

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Limits that keep a strange playlist from filling the memory.
const (
	maxEntries      = 100_000
	maxPlaylistSize = 16 << 20 // bytes
	maxNesting      = 4        // playlists within playlists
)

// errTooMany ends an expansion.
var errTooMany = fmt.Errorf("more than %d entries: split the playlist", maxEntries)

// expand replaces directories and playlists by the files they name. An input
// given by name must exist; what a playlist names is checked when its turn
// comes.
func expand(ctx context.Context, inputs []string) ([]string, error) {
	var files []string
	for _, in := range inputs {
		if _, err := os.Stat(in); err != nil {
			return nil, fmt.Errorf("input %q: %w; name a file, a playlist, - for stdin, pulse, tone or tune", in, errors.Unwrap(err))
		}
		var err error
		if files, err = expandInto(ctx, files, in, 0); err != nil {
			return nil, fmt.Errorf("input %q: %w", in, err)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no audio file in %s: name one that has WAV, FLAC, MP3, Ogg Vorbis or Ogg Opus files", strings.Join(inputs, ", "))
	}
	return files, nil
}

// expandInto appends the files of one path.
func expandInto(ctx context.Context, files []string, path string, depth int) ([]string, error) {
	if len(files) >= maxEntries {
		return files, errTooMany
	}
	info, err := os.Stat(path)
	if err != nil {
		return append(files, path), nil // reported when its turn comes
	}
	if info.IsDir() {
		return expandDir(ctx, files, path)
	}
	if k := playlistKind(path); k != kindUnknown && depth < maxNesting {
		names, err := readPlaylist(path, k)
		if err != nil {
			return files, err
		}
		for _, name := range names {
			if files, err = expandInto(ctx, files, name, depth+1); err != nil {
				return files, err
			}
		}
		return files, nil
	}
	return append(files, path), nil
}

// expandDir appends the audio files below a directory, in lexical order.
func expandDir(ctx context.Context, files []string, dir string) ([]string, error) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil || d.IsDir() || !d.Type().IsRegular() && d.Type()&fs.ModeSymlink == 0:
			return nil // an unreadable directory is passed over
		case len(files) >= maxEntries:
			return errTooMany
		case isAudio(fileKind(path)):
			files = append(files, path)
		}
		return nil
	})
	return files, err
}

func isAudio(k kind) bool { return k >= kindWAV && k <= kindOpus }

// fileKind sniffs a file; one that cannot be read is unknown.
func fileKind(path string) kind {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return kindUnknown
	}
	f, err := os.Open(path)
	if err != nil {
		return kindUnknown
	}
	defer func() { _ = f.Close() }()
	head, err := readHead(f, 0)
	if err != nil {
		return kindUnknown
	}
	return sniff(head)
}

// playlistKind tells whether path is a playlist. A plain M3U has no mark of its
// own: there the extension decides.
func playlistKind(path string) kind {
	k := fileKind(path)
	if k == kindPLS || k == kindM3U {
		return k
	}
	switch ext := strings.ToLower(filepath.Ext(path)); {
	case k == kindUnknown && (ext == ".m3u" || ext == ".m3u8"):
		return kindM3U
	}
	return kindUnknown
}

// readPlaylist returns the paths a playlist names, resolved against its folder.
func readPlaylist(path string, k kind) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxPlaylistSize {
		return nil, fmt.Errorf("playlist %s has %d bytes, the limit is %d: split it", path, info.Size(), maxPlaylistSize)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var names []string
	lines := bufio.NewScanner(bytes.NewReader(trimBOM(data)))
	for lines.Scan() {
		name := m3uEntry(lines.Text())
		if k == kindPLS {
			name = plsEntry(lines.Text())
		}
		if name != "" {
			names = append(names, resolve(filepath.Dir(path), name))
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("playlist %s: %w", path, err)
	}
	return names, nil
}

// m3uEntry returns the entry of a line, or nothing for a comment.
func m3uEntry(line string) string {
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "#") {
		return ""
	}
	return line
}

// plsEntry returns the entry of a line FileN=entry.
func plsEntry(line string) string {
	key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
	key = strings.TrimSpace(key)
	if !ok || len(key) < 4 || !strings.EqualFold(key[:4], "file") {
		return ""
	}
	return strings.TrimSpace(value)
}

// resolve turns an entry into a path: relative to the playlist, or a file URL.
func resolve(dir, name string) string {
	if u, err := url.Parse(name); err == nil && u.Scheme == "file" {
		return u.Path
	}
	if strings.Contains(name, "://") || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, filepath.FromSlash(strings.ReplaceAll(name, `\`, "/")))
}
