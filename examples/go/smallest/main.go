// Starts a run, and waits until its token is delivered: go run ./smallest request.json
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
)

func main() {
	var request struct {
		OrgID         string   `json:"orgId"`
		SourceOrgID   string   `json:"sourceOrgId,omitempty"`
		AccessListIPs []string `json:"accessListIps"`
		Sink          string   `json:"sink"`
	}
	text, err := os.ReadFile(os.Args[1])
	check(err)
	check(json.Unmarshal(text, &request))

	temporal, err := client.Dial(envconfig.MustLoadDefaultClientOptions())
	check(err)
	defer temporal.Close()

	id := "live-migration-prep/" + request.OrgID + "/" + request.SourceOrgID
	run, err := temporal.ExecuteWorkflow(context.Background(), client.StartWorkflowOptions{
		ID:                                       strings.TrimSuffix(id, "/"),
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
