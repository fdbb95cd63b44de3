// Files says what Go's http.FileServer makes of requests.
//
// Its argument is the directory to serve. Each line of standard input is a JSON object {"method", "target",
// "headers": {NAME: VALUE}}, and each line of output one with {"status", "headers", "body"}.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
)

type question struct {
	Method, Target string
	Headers        map[string]string
}

type answer struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

func main() {
	files := http.FileServer(http.Dir(os.Args[1]))
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		out.Encode(answerTo(files, asked))
	}
}

func answerTo(files http.Handler, asked question) answer {
	said := answer{Headers: map[string]string{}}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(
		asked.Method + " " + asked.Target + " HTTP/1.1\r\nHost: localhost\r\n\r\n")))
	if err != nil {
		said.Status = 400
		return said
	}
	for name, value := range asked.Headers {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	files.ServeHTTP(w, r)
	said.Status = w.Code
	said.Body = w.Body.String()
	for name, values := range w.Result().Header {
		said.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return said
}
