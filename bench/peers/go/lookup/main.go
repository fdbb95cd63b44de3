// Lookup: the pure Go resolver, asking the server of the bench.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"sync"

	"landline.invalid/bench/outcome"
)

func main() {
	to := flag.String("to", "", "name server")
	inFlight := flag.Int("in-flight", 64, "lookups at a time")
	pace := outcome.Flags()
	flag.Parse()

	resolver := &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, network, *to)
		},
	}
	pace.Start()
	var all sync.WaitGroup
	for range *inFlight {
		all.Go(func() {
			for {
				n, more := pace.Another()
				if !more {
					return
				}
				addrs, err := resolver.LookupNetIP(context.Background(), "ip", fmt.Sprintf("n%08d.bench.test.", n))
				outcome.Check(err)
				if len(addrs) != 2 {
					outcome.Check(fmt.Errorf("%d addresses", len(addrs)))
				}
				pace.Done()
			}
		})
	}
	all.Wait()
	pace.Print()
}
