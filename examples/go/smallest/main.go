// Starts a run, and waits until its token is delivered: go run ./smallest request.json
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
)

type Request struct {
	OrgID         string   `json:"orgId"`
	SourceOrgID   *string  `json:"sourceOrgId,omitempty"`
	AccessListIPs []string `json:"accessListIps"`
	Sink          string   `json:"sink"`
	RequestedBy   string   `json:"requestedBy,omitempty"`
	ChangeRef     string   `json:"changeReference,omitempty"`
}

func workflowIDFor(request Request) string {
	id := "live-migration-prep/" + request.OrgID
	if request.SourceOrgID == nil {
		return id
	}
	if *request.SourceOrgID == "" {
		log.Fatal("sourceOrgId is empty: leave it out or write null")
	}
	return id + "/" + *request.SourceOrgID
}

func main() {
	var request Request
	if len(os.Args) < 2 {
		log.Fatal("usage: go run ./smallest request.json")
	}
	text, err := os.ReadFile(os.Args[1])
	check(err)
	check(json.Unmarshal(text, &request))

	temporal, err := client.Dial(envconfig.MustLoadDefaultClientOptions())
	check(err)
	defer temporal.Close()

	run, err := temporal.ExecuteWorkflow(context.Background(), client.StartWorkflowOptions{
		ID:                                       workflowIDFor(request),
		TaskQueue:                                "live-migration-prep",
		WorkflowIDReusePolicy:                    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}, "prepareLiveMigration", request)
	check(err)
	var receipt struct {
		Location string `json:"location"`
	}
	check(run.Get(context.Background(), &receipt))
	fmt.Println("delivered:", receipt.Location)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
