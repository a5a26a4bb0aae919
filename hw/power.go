package hw

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Power is how the board's power and heat are. What a board does not tell is false
// or, for the temperature, 0.
type Power struct {
	Temperature     float64 // °C of the processor
	Throttled       bool    // the processor is slowed down now, because of heat or power
	UnderVoltage    bool    // the supply is too weak now
	HasThrottled    bool    // since the board was switched on
	HasUnderVoltage bool
}

// The bits of the Pi firmware's GET_THROTTLED answer.
const (
	bitUnderVoltage = 1 << 0
	bitCapped       = 1 << 1
	bitThrottled    = 1 << 2
	bitSoftLimit    = 1 << 3
	bitsSince       = 16 // further up: the same since the board was switched on
)

// ReadPower looks at a host now.
func ReadPower(root fs.FS) Power {
	p := Power{Temperature: temperature(root)}
	firmware(root, &p)
	for _, dir := range under(root, "sys/class/hwmon") {
		if text(root, dir+"/name") == "rpi_volt" && text(root, dir+"/in0_lcrit_alarm") == "1" {
			p.UnderVoltage, p.HasUnderVoltage = true, true
		}
	}
	for _, dir := range under(root, "sys/class/thermal") {
		if strings.HasPrefix(path.Base(dir), "cooling_device") && slowing(text(root, dir+"/type")) && number(root, dir+"/cur_state") > 0 {
			p.Throttled, p.HasThrottled = true, true
		}
	}
	return p
}

// firmware reads what the Pi's own firmware says.
func firmware(root fs.FS, p *Power) {
	for _, dir := range []string{"sys/devices/platform/soc/soc:firmware", "sys/devices/platform/soc@107c000000/soc@107c000000:firmware", "sys/devices/platform/firmware"} {
		v, err := strconv.ParseUint(strings.TrimPrefix(text(root, dir+"/get_throttled"), "0x"), 16, 32)
		if err != nil {
			continue
		}
		const slow = bitCapped | bitThrottled | bitSoftLimit
		p.UnderVoltage, p.Throttled = v&bitUnderVoltage != 0, v&slow != 0
		p.HasUnderVoltage, p.HasThrottled = v>>bitsSince&bitUnderVoltage != 0, v>>bitsSince&slow != 0
		return
	}
}

// slowing reports whether a cooling device is the processor's frequency; others
// are fans.
func slowing(kind string) bool {
	return strings.HasPrefix(kind, "cpufreq") || strings.HasPrefix(kind, "thermal-cpufreq") || kind == "Processor"
}

// temperature is the processor's, or of the first zone that tells one.
func temperature(root fs.FS) float64 {
	first := 0.0
	for _, dir := range under(root, "sys/class/thermal") {
		if !strings.HasPrefix(path.Base(dir), "thermal_zone") {
			continue
		}
		t := number(root, dir+"/temp") / 1000
		if t <= 0 || t > 150 {
			continue
		}
		kind := text(root, dir+"/type")
		if strings.Contains(kind, "cpu") || kind == "x86_pkg_temp" {
			return t
		}
		if first == 0 {
			first = t
		}
	}
	return first
}

func number(root fs.FS, name string) float64 {
	v, err := strconv.ParseFloat(text(root, name), 64)
	if err != nil {
		return 0
	}
	return v
}
