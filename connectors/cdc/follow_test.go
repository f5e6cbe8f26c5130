package cdc

import (
	"encoding/binary"
	"testing"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/types"
)

// followingDecoder is decoderFor with definitions followed.
func followingDecoder() *decoder {
	d, _ := decoderFor(connectors.Position{})
	a := d.sink.(*assembler)
	a.sink = &drainSink{done: func() {}}
	a.deliver = func(b *txnBuf) error { b.Release(); return nil }
	a.noted = []*Table{d.tables[1].definition()}
	a.flushed = []*Table{a.noted[0]}
	d.follow = &follower{asm: a, known: map[upstreamType]carriedType{}, resolve: func(upstreamType) (carriedType, error) {
		return carriedType{types.T(types.Text), "text"}, nil
	}}
	return d
}

// FuzzFollow feeds messages, each behind its length, to a decoder that follows
// definitions: no bytes make it panic.
func FuzzFollow(f *testing.F) {
	add := func(msgs ...message) {
		var b []byte
		for _, m := range msgs {
			b = append(binary.BigEndian.AppendUint16(b, uint16(len(m))), m...)
		}
		f.Add(b)
	}
	logical := func(flags byte) message { return msg('M').u8(flags).u64(50).str("p").u32(2).u8('h', 'i') }
	add(logical(0), beginMsg(100), relA, msg('I').u32(1).u8('N').text("1", "x"), logical(1),
		relationMsg(1, "b", 'f', wireColumn{"id", 20, -1, true}, wireColumn{"w", 17, -1, true}), msg('U').u32(1).u8('O').text("1", "NULL").u8('N').text("2", "UNCHANGED"),
		msg('T').u32(1).u8(3).u32(1), commitMsg(100))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := followingDecoder()
		for len(data) >= 2 {
			n := min(int(binary.BigEndian.Uint16(data)), len(data)-2)
			if d.decode(data[2:2+n]) != nil {
				return
			}
			data = data[2+n:]
		}
	})
}
