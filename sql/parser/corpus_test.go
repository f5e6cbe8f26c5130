package parser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A sample is one statement of the corpus.
type sample struct{ name, sql string }

// corpus reads testdata/corpus: statements after lines "--@ name".
func corpus(t testing.TB) []sample {
	files, err := filepath.Glob("testdata/corpus/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("corpus: %v", err)
	}
	var out []sample
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split("\n"+string(text), "\n--@ ")[1:] {
			name, sql, _ := strings.Cut(part, "\n")
			out = append(out, sample{filepath.Base(f) + "/" + name, sql})
		}
	}
	return out
}

func TestCorpusSmoke(t *testing.T) {
	for _, s := range corpus(t) {
		if _, err := Parse(s.sql); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
	}
}
