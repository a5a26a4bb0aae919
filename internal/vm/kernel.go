package vm

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// release is the Debian release whose kernels are booted.
const release = "trixie"

// kernel is an unpacked kernel package.
type kernel struct {
	image   string // to boot
	modules string // directory
}

// fetch downloads Debian's kernel into the user's cache, once, and unpacks it.
func fetch(ctx context.Context, a Arch, log func(string)) (*kernel, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, "tutti", "kernel-"+a.Debian)
	root := filepath.Join(dir, "root")
	if _, err := os.Stat(root); err != nil {
		log("fetching Debian's kernel for " + a.Debian + " (60 to 110 MB)")
		deb, err := download(ctx, a, dir)
		if err != nil {
			return nil, fmt.Errorf("%w: cannot fetch the kernel: %w", ErrUnavailable, err)
		}
		if err := run(ctx, "", "dpkg-deb", "-x", deb, root+".new"); err != nil {
			return nil, err
		}
		if err := os.Rename(root+".new", root); err != nil {
			return nil, err
		}
	}
	images, _ := filepath.Glob(filepath.Join(root, "boot", "vmlinuz-*"))
	modules, _ := filepath.Glob(filepath.Join(root, "usr", "lib", "modules", "*"))
	if len(images) != 1 || len(modules) != 1 {
		return nil, fmt.Errorf("%s holds no kernel: remove it and try again", root)
	}
	return &kernel{image: images[0], modules: modules[0]}, nil
}

// download has apt fetch the package, verified by Debian's keys, with lists and
// state of its own so that the host's are not touched.
func download(ctx context.Context, a Arch, dir string) (deb string, err error) {
	for _, d := range []string{"lists/partial", "cache/archives/partial", "deb"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return "", err
		}
	}
	list := "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian " + release + " main\n"
	for name, text := range map[string]string{"sources.list": list, "status": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	options := []string{"-q", "-o", "Acquire::Languages=none", "-o", "APT::Sandbox::User=root"}
	for key, value := range map[string]string{
		"Dir::Etc::SourceList": dir + "/sources.list", "Dir::Etc::SourceParts": "/dev/null", "Dir::State::Lists": dir + "/lists",
		"Dir::State::status": dir + "/status", "Dir::Cache": dir + "/cache", "APT::Architecture": a.Debian, "APT::Architectures": a.Debian,
	} {
		options = append(options, "-o", key+"="+value)
	}
	if err := run(ctx, dir, "apt-get", append(options, "update")...); err != nil {
		return "", err
	}
	b, err := exec.CommandContext(ctx, "apt-cache", append(options, "depends", a.kernel)...).Output()
	name := regexp.MustCompile(`linux-image-\d\S*`).FindString(string(b))
	if err != nil || name == "" {
		return "", fmt.Errorf("apt knows no kernel %s: %w", a.kernel, err)
	}
	if err := run(ctx, filepath.Join(dir, "deb"), "apt-get", append(options, "download", name)...); err != nil {
		return "", err
	}
	debs, _ := filepath.Glob(filepath.Join(dir, "deb", name+"_*.deb"))
	if len(debs) != 1 {
		return "", fmt.Errorf("apt fetched %d packages, not one", len(debs))
	}
	return debs[0], nil
}

func run(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}
