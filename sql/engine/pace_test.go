package engine

import "testing"

func TestPace(t *testing.T) {
	p := newPace(4<<20, 50_000, 16<<20)
	if p.rows() != (4<<20)/pacePerRow || p.bytes() != (4<<20)/pacePerByte {
		t.Fatalf("at first %d rows, %d bytes", p.rows(), p.bytes())
	}
	if p.observe(10, 1000, 1<<20); p.changed() { // too small to count
		t.Fatal("a small tick changed the pace")
	}
	if p.observe(1000, 1<<20, 12<<20); !p.changed() || p.bytes() != (4<<20)/12 || p.rows() != paceRows {
		t.Fatalf("after larger batches %d rows, %d bytes", p.rows(), p.bytes())
	}
	for range 100 {
		p.observe(10_000, 1<<20, 1<<18)
	}
	if p.rows() != 50_000 || p.bytes() < 15<<20 {
		t.Fatalf("after many small batches %d rows, %d bytes", p.rows(), p.bytes())
	}
	// Deletions: few bytes each, large batches.
	p.observe(10_000, 200_000, 8<<20)
	if want := (4 << 20) * 10_000 / (8 << 20); p.rows() != want {
		t.Fatalf("after deletions %d rows, not %d", p.rows(), want)
	}
}
