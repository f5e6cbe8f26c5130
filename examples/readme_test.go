package examples

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/helios-sql/helios-sql/internal/heliostest"
)

// A step is one command of the README's tour and what it prints.
type step struct {
	line   int
	prompt string // "helios=> ", "shop=# " or "$ "
	text   string
	want   string
}

// tour reads the commands of the README: blocks of text with psql's prompts, and
// blocks of console, of which only the kill is ours to run.
func tour(t *testing.T) []step {
	t.Helper()
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	block := ""
	for i, line := range strings.Split(string(b), "\n") {
		if lang, ok := strings.CutPrefix(line, "```"); ok {
			block = lang
			continue
		}
		if block == "" {
			continue
		}
		begun := false
		for _, prompt := range []string{"helios=> ", "shop=# ", "$ "} {
			if text, ok := strings.CutPrefix(line, prompt); ok {
				steps = append(steps, step{line: i + 1, prompt: prompt, text: text})
				begun = true
			}
		}
		if begun || len(steps) == 0 {
			continue
		}
		last := &steps[len(steps)-1]
		if text, ok := strings.CutPrefix(line, "helios-> "); ok {
			last.text += "\n" + text
		} else {
			last.want += line + "\n"
		}
	}
	return steps
}

var (
	lsn    = regexp.MustCompile(`\b[0-9A-F]+/[0-9A-F]+\b`)
	spaces = regexp.MustCompile(` +`)
	rules  = regexp.MustCompile(`--+`)
)

// loose is an output without what differs from run to run: positions, and
// widths of columns that depend on them.
func loose(s string) string {
	s = rules.ReplaceAllString(spaces.ReplaceAllString(lsn.ReplaceAllString(s, "LSN"), " "), "--")
	return strings.TrimSpace(strings.ReplaceAll(s, " \n", "\n"))
}

// TestReadme takes the tour of the README and compares what is printed there.
func TestReadme(t *testing.T) {
	pg, dsn := shop(t)
	p := heliostest.Start(t, binary)
	position, ran := "", 0
	for _, s := range tour(t) {
		if strings.HasPrefix(s.text, "kill -9") {
			p.Kill()
			if err := p.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if s.prompt == "$ " {
			continue
		}
		text := strings.ReplaceAll(s.text, "postgres://cdc_user@127.0.0.1:5432/shop", dsn)
		cmd := p.Psql(t.Context())
		if s.prompt == "shop=# " {
			cmd = heliostest.Psql(t.Context(), pg.Port, "postgres", "shop")
		} else if position != "" {
			text = lsn.ReplaceAllString(text, position)
		}
		cmd.Stdin = strings.NewReader(text + "\n")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("README.md:%d: %s: %v\n%s", s.line, text, err, out)
		}
		if found := lsn.FindString(string(out)); s.prompt == "shop=# " && found != "" {
			position = found
		}
		if got := loose(string(out)); got != loose(s.want) {
			t.Errorf("README.md:%d: %s\nprints\n%s\ninstead of\n%s", s.line, text, out, s.want)
		}
		ran++
	}
	if ran < 15 {
		t.Errorf("only %d statements of the README were found", ran)
	}
}
