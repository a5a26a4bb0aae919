package uapi

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// pairs are expressions in C and in Go that must have the same value.
var pairs = [][2]string{
	{"SNDRV_PCM_IOCTL_HW_REFINE", "PCMHwRefine"},
	{"SNDRV_PCM_IOCTL_HW_PARAMS", "PCMHwParams"},
	{"SNDRV_PCM_IOCTL_SW_PARAMS", "PCMSwParams"},
	{"SNDRV_PCM_IOCTL_SYNC_PTR", "PCMSyncPtr"},
	{"SNDRV_PCM_IOCTL_STATUS_EXT", "PCMStatusExt"},
	{"SNDRV_PCM_IOCTL_PREPARE", "PCMPrepare"},
	{"SNDRV_PCM_IOCTL_START", "PCMStart"},
	{"SNDRV_PCM_IOCTL_DROP", "PCMDrop"},
	{"SNDRV_PCM_IOCTL_RESUME", "PCMResume"},
	{"SNDRV_PCM_IOCTL_WRITEI_FRAMES", "PCMWritei"},
	{"SNDRV_PCM_IOCTL_READI_FRAMES", "PCMReadi"},
	{"SNDRV_CTL_IOCTL_CARD_INFO", "CtlCardInfo"},
	{"SNDRV_CTL_IOCTL_ELEM_LIST", "CtlElemList"},
	{"SNDRV_CTL_IOCTL_ELEM_INFO", "CtlElemInfo"},
	{"SNDRV_CTL_IOCTL_ELEM_READ", "CtlElemRead"},
	{"SNDRV_CTL_IOCTL_ELEM_WRITE", "CtlElemWrite"},
	{"SNDRV_CTL_IOCTL_TLV_READ", "CtlTLVRead"},
	{"SNDRV_CTL_IOCTL_PCM_NEXT_DEVICE", "CtlPCMNextDevice"},
	{"SNDRV_CTL_IOCTL_PCM_INFO", "CtlPCMInfo"},
	{"SNDRV_CTL_IOCTL_PCM_PREFER_SUBDEVICE", "CtlPreferSubdevice"},
	{"sizeof(struct snd_pcm_hw_params)", "unsafe.Sizeof(HwParams{})"},
	{"offsetof(struct snd_pcm_hw_params, intervals)", "unsafe.Offsetof(HwParams{}.Intervals)"},
	{"offsetof(struct snd_pcm_hw_params, info)", "unsafe.Offsetof(HwParams{}.Info)"},
	{"offsetof(struct snd_pcm_hw_params, fifo_size)", "unsafe.Offsetof(HwParams{}.FifoSize)"},
	{"sizeof(struct snd_pcm_sw_params)", "unsafe.Sizeof(SwParams{})"},
	{"offsetof(struct snd_pcm_sw_params, boundary)", "unsafe.Offsetof(SwParams{}.Boundary)"},
	{"offsetof(struct snd_pcm_sw_params, tstamp_type)", "unsafe.Offsetof(SwParams{}.TstampType)"},
	{"sizeof(struct snd_pcm_status)", "unsafe.Sizeof(Status{})"},
	{"offsetof(struct snd_pcm_status, tstamp)", "unsafe.Offsetof(Status{}.Tstamp)"},
	{"offsetof(struct snd_pcm_status, hw_ptr)", "unsafe.Offsetof(Status{}.HwPtr)"},
	{"offsetof(struct snd_pcm_status, delay)", "unsafe.Offsetof(Status{}.Delay)"},
	{"offsetof(struct snd_pcm_status, audio_tstamp)", "unsafe.Offsetof(Status{}.AudioTstamp)"},
	{"offsetof(struct snd_pcm_status, audio_tstamp_accuracy)", "unsafe.Offsetof(Status{}.AudioAccuracy)"},
	{"sizeof(struct snd_pcm_mmap_status)", "unsafe.Sizeof(MmapStatus{})"},
	{"offsetof(struct snd_pcm_mmap_status, tstamp)", "unsafe.Offsetof(MmapStatus{}.Tstamp)"},
	{"sizeof(struct snd_pcm_sync_ptr)", "unsafe.Sizeof(SyncPtr{})"},
	{"offsetof(struct snd_pcm_sync_ptr, s)", "unsafe.Offsetof(SyncPtr{}.Status)"},
	{"offsetof(struct snd_pcm_sync_ptr, c.control.appl_ptr)", "unsafe.Offsetof(SyncPtr{}.ApplPtr)"},
	{"sizeof(struct snd_xferi)", "unsafe.Sizeof(Xferi{})"},
	{"offsetof(struct snd_xferi, frames)", "unsafe.Offsetof(Xferi{}.Frames)"},
	{"sizeof(struct snd_pcm_info)", "unsafe.Sizeof(PCMInfo{})"},
	{"sizeof(struct snd_ctl_card_info)", "unsafe.Sizeof(CardInfo{})"},
	{"sizeof(struct snd_ctl_elem_list)", "unsafe.Sizeof(ElemList{})"},
	{"sizeof(struct snd_ctl_elem_info)", "unsafe.Sizeof(ElemInfo{})"},
	{"offsetof(struct snd_ctl_elem_info, value)", "unsafe.Offsetof(ElemInfo{}.Value)"},
	{"sizeof(struct snd_ctl_elem_value)", "unsafe.Sizeof(ElemValue{})"},
	{"offsetof(struct snd_ctl_elem_value, value)", "unsafe.Offsetof(ElemValue{}.Value)"},
	{"sizeof(struct snd_ctl_tlv)", "TLVHead"},
}

// compilers by architecture; what they make is not run.
var compilers = map[string][]string{
	"amd64": {"x86_64-linux-gnu-gcc"}, "arm64": {"aarch64-linux-gnu-gcc"}, "riscv64": {"riscv64-linux-gnu-gcc"},
	"arm": {"arm-linux-gnueabihf-gcc", "-D_FILE_OFFSET_BITS=64", "-D_TIME_BITS=64"},
}

// TestAgainstC compares every number, size and offset with what a C compiler for
// each architecture makes of <sound/asound.h>. Nothing is run: C's values are read
// from the assembly, and Go's type checker compares.
func TestAgainstC(t *testing.T) {
	for arch, compiler := range compilers {
		t.Run(arch, func(t *testing.T) {
			if _, err := exec.LookPath(compiler[0]); err != nil {
				t.Skipf("no %s: install a C compiler and libc6-dev for %s to compare with C (sizes are asserted when compiling all the same)", compiler[0], arch)
			}
			checkGo(t, arch, fromC(t, compiler))
		})
	}
}

// fromC returns the values of the expressions in C.
func fromC(t *testing.T, compiler []string) []uint32 {
	t.Helper()
	var b strings.Builder
	b.WriteString("#include <stddef.h>\n#include <time.h>\n#include <sys/ioctl.h>\n#include <sound/asound.h>\nvoid f(void) {\n")
	for i, p := range pairs {
		fmt.Fprintf(&b, "__asm__(\"\\n@@%d %%0\\n\" :: \"i\"((int)(%s)));\n", i, p[0])
	}
	b.WriteString("}\n")
	source := filepath.Join(t.TempDir(), "x.c")
	if err := os.WriteFile(source, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(compiler[0], append(compiler[1:], "-S", "-o", "-", source)...).CombinedOutput()
	if err != nil {
		t.Skipf("%s cannot compile against <sound/asound.h>, install libc6-dev for it: %v\n%s", compiler[0], err, out)
	}
	values, found := make([]uint32, len(pairs)), 0
	for _, m := range regexp.MustCompile(`@@(\d+) [#$]?(-?\d+)`).FindAllStringSubmatch(string(out), -1) {
		i, _ := strconv.Atoi(m[1])
		v, _ := strconv.ParseInt(m[2], 10, 64)
		values[i] = uint32(v)
		found++
	}
	if found != len(pairs) {
		t.Fatalf("%d of %d values are in the assembly", found, len(pairs))
	}
	return values
}

// checkGo type-checks this package for an architecture, with C's values beside it.
func checkGo(t *testing.T, arch string, c []uint32) {
	t.Helper()
	dir := t.TempDir()
	files, _ := filepath.Glob("*.go")
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "_test.go") {
			put(t, filepath.Join(dir, name), string(b))
		}
	}
	var b strings.Builder
	b.WriteString("package uapi\n\nimport \"unsafe\"\n\n")
	for i, p := range pairs {
		fmt.Fprintf(&b, "var _ = [1]struct{}{}[uint64(%s)-%d] // %s\n", p[1], c[i], p[0])
	}
	put(t, filepath.Join(dir, "c.go"), b.String())
	put(t, filepath.Join(dir, "go.mod"), "module uapi\n\ngo 1.24\n")
	cmd := exec.Command("go", "build", "-gcflags=-e", ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("Go and C differ: %v\n%s", err, out)
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
