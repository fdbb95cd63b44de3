// HTTP client: net/http, with as many conns kept as there are requests at a time, where two are kept by default.
package main

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"sync"

	"landline.invalid/bench/outcome"
)

func main() {
	to := flag.String("to", "", "address of the server")
	inFlight := flag.Int("in-flight", 64, "requests at a time")
	pace := outcome.Flags()
	flag.Parse()

	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: *inFlight}}
	url := "http://" + *to + "/"
	pace.Start()
	var all sync.WaitGroup
	for range *inFlight {
		all.Go(func() {
			for {
				if _, more := pace.Another(); !more {
					break
				}
				get(client, url)
				pace.Done()
			}
		})
	}
	all.Wait()
	pace.Print()
}

func get(client *http.Client, url string) {
	response, err := client.Get(url)
	outcome.Check(err)
	body, err := io.ReadAll(response.Body)
	outcome.Check(err)
	response.Body.Close()
	if string(body) != "Hello, world!" {
		outcome.Check(fmt.Errorf("a body of %d bytes", len(body)))
	}
}
