package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A figure is one line of the table: medians of the rounds.
type figure struct {
	Name    string    `json:"name"`
	Unit    string    `json:"unit"`
	Value   float64   `json:"value"`
	Rounds  []float64 `json:"rounds,omitempty"`
	Ceiling string    `json:"ceiling,omitempty"` // whose
	Of      float64   `json:"ceiling_value,omitempty"`
	OfEach  []float64 `json:"ceiling_rounds,omitempty"`
	Ratio   float64   `json:"ratio,omitempty"` // median of the rounds' ratios, Value to Of
	Target  string    `json:"target,omitempty"`
	Met     bool      `json:"met"`
	Note    string    `json:"note,omitempty"`
}

// A report is all figures of a run and where it ran.
type report struct {
	Command string    `json:"command"`
	Began   time.Time `json:"began"`
	Seconds float64   `json:"seconds"`
	CPUs    int       `json:"cpus"`
	CPU     string    `json:"cpu"`
	Go      string    `json:"go"`
	Figures []figure  `json:"figures"`
}

func (r *report) begin() {
	r.Began, r.CPUs, r.Go = time.Now().UTC().Truncate(time.Second), runtime.NumCPU(), runtime.Version()
	info, _ := os.ReadFile("/proc/cpuinfo") // without it the name stays empty
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			r.CPU = strings.TrimSpace(value)
			return
		}
	}
}

// A target is a bound that a figure or its ratio must reach.
type target struct {
	text string
	met  func(f *figure) bool
}

func ratioAtLeast(x float64) target {
	return target{fmt.Sprintf("≥ %.0f %%", 100*x), func(f *figure) bool { return f.Ratio >= x }}
}

func atMost(x float64, unit string) target {
	return target{fmt.Sprintf("< %g %s", x, unit), func(f *figure) bool { return f.Value < x }}
}

func atLeast(x float64) target {
	return target{"≥ " + number(x), func(f *figure) bool { return f.Value >= x }}
}

// add takes a figure's rounds, paired with those of its ceiling if it has one.
func (r *report) add(f figure, t *target) {
	f.Value = median(f.Rounds)
	if len(f.OfEach) > 0 {
		f.Of = median(f.OfEach)
		ratios := make([]float64, min(len(f.Rounds), len(f.OfEach)))
		for i := range ratios {
			ratios[i] = f.Rounds[i] / f.OfEach[i]
		}
		f.Ratio = median(ratios)
	}
	if t != nil {
		f.Target, f.Met = t.text, t.met(&f)
	}
	r.Figures = append(r.Figures, f)
	say("  %s: %s %s%s%s", f.Name, number(f.Value), f.Unit, f.against(), spread(f.Rounds))
}

func (f *figure) against() string {
	if f.Of == 0 {
		return ""
	}
	return fmt.Sprintf(", %s %s, ratio %.2f", f.Ceiling, number(f.Of), f.Ratio)
}

func spread(rounds []float64) string {
	if len(rounds) < 2 {
		return ""
	}
	return fmt.Sprintf(" (%s … %s)", number(slices.Min(rounds)), number(slices.Max(rounds)))
}

func median(v []float64) float64 { return percentile(v, 0.5) }

// percentile gives the value below which the part p of the values lies, with
// the middle between two for the median of an even number.
func percentile(v []float64, p float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	at := p * float64(len(s)-1)
	i := int(at)
	if i+1 == len(s) {
		return s[i]
	}
	return s[i] + (at-float64(i))*(s[i+1]-s[i])
}

// number prints three digits and more, in groups.
func number(x float64) string {
	switch {
	case x >= 100:
		s := fmt.Sprintf("%.0f", x)
		for i := len(s) - 3; i > 0; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
		return s
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

// print writes the table, in Markdown that can also be read as it is.
func (r *report) print(w io.Writer) {
	if len(r.Figures) == 0 {
		return
	}
	r.Seconds = time.Since(r.Began).Seconds()
	fmt.Fprintf(w, "\n`%s`, %s, %d × %s, %s, %.0f s\n\n", r.Command, r.Began.Format("2006-01-02 15:04"), r.CPUs, r.CPU, r.Go, r.Seconds)
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	fmt.Fprintln(t, "| figure\t| helios-sql\t| ceiling\t| ratio\t| target\t| \t| note\t|")
	fmt.Fprintln(t, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	for i := range r.Figures {
		f := &r.Figures[i]
		ceiling, ratio, met := "", "", ""
		if f.Of > 0 {
			ceiling, ratio = number(f.Of)+" "+f.Ceiling, fmt.Sprintf("%.2f", f.Ratio)
		}
		if f.Target != "" {
			if met = "missed"; f.Met {
				met = "met"
			}
		}
		fmt.Fprintf(t, "| %s\t| %s %s\t| %s\t| %s\t| %s\t| %s\t| %s\t|\n", f.Name, number(f.Value), f.Unit, ceiling, ratio, f.Target, met, f.Note)
	}
	t.Flush()
}

func (r *report) writeJSON(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}
