// Starts a run, or joins the open one of an equal request, and learns of a failed delivery at once:
// go run ./join request.json
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/temporal"
)

type Request struct {
	OrgID         string   `json:"orgId"`
	SourceOrgID   *string  `json:"sourceOrgId,omitempty"`
	AccessListIPs []string `json:"accessListIps"`
	Sink          string   `json:"sink"`
}

type Receipt struct {
	Location string `json:"location"`
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

// docs/callers.md refers to this function.
func startOrJoin(ctx context.Context, c client.Client, request Request) (receipt Receipt, err error) {
	workflowID := workflowIDFor(request)
	start := c.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
		ID:                       workflowID,
		TaskQueue:                "live-migration-prep",
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
	}, "prepareLiveMigration", request)
	update, err := c.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: start,
		UpdateOptions: client.UpdateWorkflowOptions{
			UpdateName:   "awaitDelivery",
			Args:         []any{request},
			WaitForStage: client.WorkflowUpdateStageCompleted,
		},
	})
	if err == nil {
		err = update.Get(ctx, &receipt)
		return receipt, err
	}
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	if !errors.As(err, &started) {
		return receipt, err
	}
	// The newest run of this id delivered its token: for a different request, the Query fails.
	value, err := c.QueryWorkflow(ctx, workflowID, "", "receiptFor", request)
	if err == nil {
		err = value.Get(&receipt)
	}
	return receipt, err
}

func main() {
	var request Request
	if len(os.Args) < 2 {
		log.Fatal("usage: go run ./join request.json")
	}
	text, err := os.ReadFile(os.Args[1])
	check(err)
	check(json.Unmarshal(text, &request))
	c, err := client.Dial(envconfig.MustLoadDefaultClientOptions())
	check(err)
	defer c.Close()

	receipt, err := startOrJoin(context.Background(), c, request)
	var refused *serviceerror.QueryFailed
	if errors.As(err, &refused) {
		fmt.Println("failed (DifferentRequest):", refused.Message)
		os.Exit(1)
	}
	var failure *temporal.ApplicationError
	if !errors.As(err, &failure) {
		check(err)
		fmt.Println("delivered:", receipt.Location)
		return
	}
	switch failure.Type() {
	case "SinkRejected", "SinkUnavailable", "SealedTokenUnreadable":
		fmt.Printf("undelivered (%s): %s; the run goes on\n", failure.Type(), failure.Message())
		os.Exit(5)
	default:
		fmt.Printf("failed (%s): %s\n", failure.Type(), failure.Message())
		os.Exit(1)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
