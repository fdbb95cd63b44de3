// Package outcome is the contract that every measured peer keeps: when to stop, and the line it prints.
package outcome

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Pace is the measured window of a closed loop.
type Pace struct {
	warmUp, run time.Duration
	ops         int64
	born        time.Time
	begun, done atomic.Int64
	mu          sync.Mutex
	start, end  *moment
}

type moment struct {
	wall time.Time
	cpu  time.Duration
	done int64
}

// Flags registers the flags of a Pace; the Pace begins when Start is called.
func Flags() *Pace {
	p := &Pace{warmUp: 150 * time.Millisecond, run: 700 * time.Millisecond}
	flag.Func("warm-up-ms", "", millis(&p.warmUp))
	flag.Func("run-ms", "", millis(&p.run))
	flag.Int64Var(&p.ops, "ops", 0, "")
	return p
}

func (p *Pace) Start() { p.born = time.Now() }

// Another says whether one more operation is to be done, and its number.
func (p *Pace) Another() (int64, bool) {
	n := p.begun.Add(1) - 1
	if p.ops > 0 {
		return n, n < p.ops
	}
	if time.Since(p.born) < p.warmUp {
		return n, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.start == nil {
		p.start = p.now()
	}
	if time.Since(p.start.wall) < p.run {
		return n, true
	}
	if p.end == nil {
		p.end = p.now()
	}
	return n, false
}

func (p *Pace) Done() { p.done.Add(1) }

// Print prints the outcome, once all operations have ended.
func (p *Pace) Print() {
	start, end := p.start, p.end
	if start == nil {
		start = &moment{wall: p.born}
	}
	if end == nil {
		end = p.now()
	}
	line, err := json.Marshal(map[string]int64{
		"ops":     end.done - start.done,
		"wall_ns": int64(end.wall.Sub(start.wall)),
		"cpu_ns":  int64(end.cpu - start.cpu),
	})
	Check(err)
	fmt.Println(string(line))
}

// Check ends the program when something went wrong.
func Check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (p *Pace) now() *moment {
	var use syscall.Rusage
	Check(syscall.Getrusage(syscall.RUSAGE_SELF, &use))
	return &moment{time.Now(), time.Duration(use.Utime.Nano() + use.Stime.Nano()), p.done.Load()}
}

func millis(d *time.Duration) func(string) error {
	return func(s string) (err error) {
		*d, err = time.ParseDuration(s + "ms")
		return err
	}
}
