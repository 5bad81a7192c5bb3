#!/usr/bin/env bash
# Weaviate 1.35.2: a backup of a collection in the second in which its index was begun leaves the index out.
#
# A backup holds what SwitchCommitLogs and ListFiles of the HNSW index give: the old log is closed, a new one begun, and
# all logs but the newest are the index's share of the backup.
#
# Guess, before it was run: an index restored from those files finds all five of its vectors, whenever the backup was
# asked for.
# Seen, 2026-11-28: none of five, without an error anywhere, if the switch falls into the Unix second in which the log was
# begun; all five a second and a half later. A log's name is that second, so the "new" log is the old one opened again,
# and as the newest it is left out. The objects are all there after a restore; only a search by vector is empty.
#
# So whoever fills a collection by script and backs it up waits more than a second between the two.
# It compiles Weaviate's index: about two minutes on two cores, some 2 GB of modules in the temp folder.
set -euo pipefail

folder=$(mktemp -d)
export GOMODCACHE="$folder/modules" GOCACHE="$folder/cache" GOFLAGS="-modcacherw -mod=mod -buildvcs=false" GOTOOLCHAIN=local
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/program"
cd "$folder/program"

cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sirupsen/logrus/hooks/test"
	"github.com/weaviate/weaviate/adapters/repos/db/vector/hnsw"
	"github.com/weaviate/weaviate/adapters/repos/db/vector/hnsw/distancer"
	"github.com/weaviate/weaviate/entities/cyclemanager"
	settings "github.com/weaviate/weaviate/entities/vectorindex/hnsw"
	"github.com/weaviate/weaviate/usecases/memwatch"
)

var (
	ctx     = context.Background()
	vectors = [][]float32{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 1, 0}, {1, 0, 1}}
)

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// index opens the index that has its log in a folder, as a shard opens its own.
func index(folder string) (*hnsw.HNSW, error) {
	logger, _ := test.NewNullLogger()
	none := cyclemanager.NewCallbackGroupNoop()
	return hnsw.New(hnsw.Config{
		AllocChecker:     memwatch.NewDummyMonitor(),
		RootPath:         folder,
		ID:               "main",
		Logger:           logger,
		DistanceProvider: distancer.NewCosineDistanceProvider(),
		VectorForIDThunk: func(_ context.Context, id uint64) ([]float32, error) { return vectors[id], nil },
		MakeCommitLoggerThunk: func() (hnsw.CommitLogger, error) {
			return hnsw.NewCommitLogger(folder, "main", logger, none)
		},
	}, settings.NewDefaultUserConfig(), none, nil)
}

// found is how many vectors an index finds after it was backed up so long after its first second, and restored.
func found(wait time.Duration) int {
	now := time.Now()
	time.Sleep(now.Truncate(time.Second).Add(time.Second).Sub(now))
	live, copied := must(os.MkdirTemp("", "")), must(os.MkdirTemp("", ""))
	defer os.RemoveAll(live)
	defer os.RemoveAll(copied)

	source := must(index(live))
	source.PostStartup(ctx)
	for id, vector := range vectors {
		check(source.Add(ctx, uint64(id), vector))
	}
	time.Sleep(wait)
	check(source.SwitchCommitLogs(ctx))
	names := must(source.ListFiles(ctx, live))
	for _, name := range names {
		target := filepath.Join(copied, name)
		check(os.MkdirAll(filepath.Dir(target), 0o755))
		check(os.WriteFile(target, must(os.ReadFile(filepath.Join(live, name))), 0o644))
	}
	before, _, err := source.SearchByVector(ctx, vectors[0], len(vectors), nil)
	check(err)
	if len(before) != len(vectors) {
		panic("the index that was backed up is not whole")
	}
	check(source.Shutdown(ctx))

	restored := must(index(copied))
	restored.PostStartup(ctx)
	after, _, err := restored.SearchByVector(ctx, vectors[0], len(vectors), nil)
	check(err)
	check(restored.Shutdown(ctx))
	return len(after)
}

func main() {
	fmt.Println(found(0), found(1500*time.Millisecond))
}
GO
go mod init example.com/finding 2>/dev/null
go get -t github.com/weaviate/weaviate/adapters/repos/db/vector/hnsw@v1.35.2 2>/dev/null
go build -o finding .

seen=$(./finding)
echo "github.com/weaviate/weaviate v1.35.2, $(go version | cut -d' ' -f3)"
echo "expected: 5 5 (vectors found after a restore: backup in the index's first second, and later)"
echo "seen:     $seen"
[ "$seen" = "0 5" ] || { echo "the behaviour changed"; exit 1; }
