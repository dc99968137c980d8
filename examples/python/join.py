"""Starts a run, or joins the open one of an equal request, and learns of a failed delivery at once:
python join.py request.json [--again <run id>]
"""

import asyncio
import json
import os
import sys

from temporalio.client import Client, WithStartWorkflowOperation, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

# Outcomes, with the exit codes that `live-migration-prep start` has for them; else the run has failed.
UNDELIVERED = ("undelivered", 5)  # The run goes on.
REFUSED = ("refused", 6)
OUTCOMES = {
    "SinkRejected": UNDELIVERED,
    "SinkUnavailable": UNDELIVERED,
    "SealedTokenUnreadable": UNDELIVERED,
    "DifferentRequest": REFUSED,
    "TokenExists": REFUSED,
    "Cancelled": ("cancelled", 7),
}


def workflow_id_for(request: dict) -> str:
    source = request.get("sourceOrgId")
    if source == "":
        raise ValueError("sourceOrgId is empty: leave it out or write null")
    return "/".join(["live-migration-prep", request["orgId"], *filter(None, [source])])


# docs/callers.md refers to this function.
async def start_or_join(client: Client, workflow_id: str, request: dict) -> dict:
    reuse = WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY
    # A repeated call finds its own run here, before Temporal lists that as closed.
    if "again" in request and await newest_run_id(client, workflow_id) == request["again"]:
        reuse = WorkflowIDReusePolicy.ALLOW_DUPLICATE
    start = WithStartWorkflowOperation(
        "prepareLiveMigration",
        request,
        id=workflow_id,
        task_queue="live-migration-prep",
        static_summary=f"create a link-token of {request['orgId']}",
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=reuse,
    )
    # Takes the error of a failed start, which asyncio would log as never retrieved.
    asyncio.gather(start.workflow_handle(), return_exceptions=True)
    try:
        return await client.execute_update_with_start_workflow(
            "awaitDelivery", request, start_workflow_operation=start
        )
    except (WorkflowAlreadyStartedError, WorkflowUpdateFailedError) as error:
        run_id = delivered_run_id(error)
        if run_id is None:
            raise
        run = client.get_workflow_handle(workflow_id, run_id=run_id)
    # That run delivered its token, perhaps for a different request: its first event has it.
    first = await anext(run.fetch_history_events(page_size=1))
    payload = first.workflow_execution_started_event_attributes.input.payloads[0]
    earlier = json.loads(payload.data)
    is_same_list = set(earlier["accessListIps"]) == set(request["accessListIps"])
    if earlier["sink"] == request["sink"] and is_same_list:
        return await run.result()
    asked = f"sink {earlier['sink']}, access list {earlier['accessListIps']}"
    message = f"run {run_id} delivered a token for another request ({asked}): its receipt has the place"
    raise ApplicationError(message, type="DifferentRequest")


async def newest_run_id(client: Client, workflow_id: str) -> str | None:
    try:
        return (await client.get_workflow_handle(workflow_id).describe()).run_id
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return None
        raise


def delivered_run_id(error: Exception) -> str | None:
    """Finds the run whose delivered token forbids another one."""
    if isinstance(error, WorkflowAlreadyStartedError):
        return error.run_id
    failure = error.__cause__
    if isinstance(failure, ApplicationError) and failure.type == "TokenExists":
        [details] = failure.details
        return details["runId"]
    return None


async def main(request: dict) -> int:
    workflow_id = workflow_id_for(request)
    client = await Client.connect(**ClientConfig.load_client_connect_config())
    try:
        receipt = await start_or_join(client, workflow_id, request)
    except (WorkflowUpdateFailedError, ApplicationError) as error:
        failure = error.cause if isinstance(error, WorkflowUpdateFailedError) else error
        if not isinstance(failure, ApplicationError):
            raise
        outcome, exit_code = OUTCOMES.get(failure.type, ("failed", 1))
        print(f"{outcome} ({failure.type}): {failure.message}")
        return exit_code
    print(f"delivered: {receipt['location']}")
    return 0


if len(sys.argv) < 2:
    sys.exit("usage: python join.py request.json [--again <run id>]")
with open(sys.argv[1]) as file:
    request = json.load(file)
if sys.argv[2:3] == ["--again"]:
    request["again"] = sys.argv[3]
exit_code = asyncio.run(main(request))
# Before Python 3.14, a thread of the SDK can abort an interpreter that ends (temporalio/sdk-python#300).
sys.stdout.flush()
os._exit(exit_code)
