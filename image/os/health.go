package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	wellFor   = 60 * time.Second // without a fault: the update is good
	patience  = 5 * time.Minute  // from the start; then it is not, see patienceKey
	lookEvery = 2 * time.Second
	// patienceKey, on the kernel's command line that comes with an update, is another
	// patience, such as 15m for a system that moves its data at the first start.
	patienceKey = "tutti.patience="
	statusURL   = "http://127.0.0.1:8400/api/v1/status"
	hadOutput   = dataDir + "/had-output"
)

// speakerStatus is what is looked at of the speaker's own account.
type speakerStatus struct {
	State  string `json:"state"`
	Output struct {
		Name string `json:"name"`
	} `json:"output"`
}

// working reports whether the speaker runs and, where that is asked, has its sound
// device.
func working(ctx context.Context, withOutput bool) error {
	ctx, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, statusURL, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("the speaker does not answer: %w", err)
	}
	defer response.Body.Close()
	var s speakerStatus
	if err := json.NewDecoder(response.Body).Decode(&s); err != nil {
		return fmt.Errorf("the speaker's status: %w", err)
	}
	if withOutput && s.State == "no-output" {
		return errors.New("the speaker cannot open its sound device, which it could before the update")
	}
	return nil
}

// noteOutput remembers, before an update, whether there is a sound device that works:
// only then can its absence be the update's fault.
func noteOutput() error {
	if err := os.MkdirAll(filepath.Dir(hadOutput), 0o755); err != nil {
		return err
	}
	if working(context.Background(), true) != nil {
		_ = os.Remove(hadOutput)
		return nil
	}
	return os.WriteFile(hadOutput, nil, 0o644)
}

// allowed is how long a system may take to be well, by the kernel's command line.
func allowed(line string) time.Duration {
	for _, word := range strings.Fields(line) {
		if v, ok := strings.CutPrefix(word, patienceKey); ok {
			if d, err := time.ParseDuration(v); err == nil && d > wellFor {
				return d
			}
			fmt.Printf("%s%s on the kernel's command line is not a time above %v: it is %v\n", patienceKey, v, wellFor, patience)
		}
	}
	return patience
}

// health watches a system on trial: well for a minute on end, and it stays; not so
// within five, and the machine goes back to the other slot.
func health(ctx context.Context) error {
	m, err := thisMachine()
	if err != nil {
		return err
	}
	trial, err := m.loader.OnTrial(m.slot)
	if err != nil || !trial {
		return err
	}
	_, noOutput := os.Stat(hadOutput)
	fmt.Printf("update %s in slot %v is on trial\n", m.version, m.slot)
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return err
	}
	limit := allowed(string(line))
	begin, since, reason := time.Now(), time.Now(), error(nil)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for time.Since(begin) < limit {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := working(ctx, noOutput == nil); err != nil {
			reason, since = err, time.Now()
		}
		if time.Since(since) >= wellFor {
			fmt.Printf("update %s is good: slot %v stays\n", m.version, m.slot)
			return writable(func() error { return m.loader.Choose(m.slot) })
		}
	}
	fmt.Printf("update %s was not well for a minute in %v (%v): going back to slot %v\n", m.version, limit, reason, m.slot.Other())
	if err := writable(func() error { return m.loader.Choose(m.slot.Other()) }); err != nil {
		return err
	}
	return restart()
}
