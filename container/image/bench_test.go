// SPDX-License-Identifier: MIT

package image

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkDummy makes a dummy image beside a copy of the same bytes that is hashed
// once and synced: what any program that stores a blob does. The ratio of the times
// is x/copy.
func BenchmarkDummy(b *testing.B) {
	const size = 128 << 20
	s := open(b)
	var making, copying time.Duration
	for i := range b.N {
		name := fmt.Sprintf("dummy:%d", i)
		start := time.Now()
		img, err := s.Dummy(context.Background(), name, DummyOptions{Size: size, Layers: 4, Seed: uint64(i)})
		making += time.Since(start)
		if err != nil {
			b.Fatal(err)
		}
		start = time.Now()
		for _, l := range img.Layers {
			if err := plainCopy(s.path(blobsDir, l.Digest[len("sha256:"):]), filepath.Join(b.TempDir(), "copy")); err != nil {
				b.Fatal(err)
			}
		}
		copying += time.Since(start)
		b.StopTimer()
		if err := s.Remove(b.Context(), name); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Prune(b.Context(), 0); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(making)/float64(copying), "x/copy")
	b.ReportMetric(float64(b.N)*size/1e6/making.Seconds(), "MB/s")
}

func plainCopy(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(io.MultiWriter(out, sha256.New()), in, make([]byte, 1<<18))
	return errors.Join(err, out.Sync(), out.Close())
}
