"""Starts a run, or joins the open one of an equal request, and learns of a failed delivery at once:
python join.py request.json
"""

import asyncio
import json
import os
import sys

from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError

DELIVERY_FAILURES = {"SinkRejected", "SinkUnavailable", "SealedTokenUnreadable"}


def workflow_id_for(request: dict) -> str:
    source = request.get("sourceOrgId")
    if source == "":
        raise ValueError("sourceOrgId is empty: leave it out or write null")
    return "/".join(["live-migration-prep", request["orgId"], *filter(None, [source])])


# docs/callers.md refers to this function.
async def start_or_join(client: Client, workflow_id: str, request: dict) -> dict:
    start = WithStartWorkflowOperation(
        "prepareLiveMigration",
        request,
        id=workflow_id,
        task_queue="live-migration-prep",
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
    )
    # Takes the error of a failed start, which asyncio would log as never retrieved.
    asyncio.gather(start.workflow_handle(), return_exceptions=True)
    try:
        return await client.execute_update_with_start_workflow(
            "awaitDelivery", request, start_workflow_operation=start
        )
    except WorkflowAlreadyStartedError:
        # The newest run of this id delivered its token: for a different request, the Query fails.
        return await client.get_workflow_handle(workflow_id).query("receiptFor", request)


async def main(request: dict) -> int:
    workflow_id = workflow_id_for(request)
    client = await Client.connect(**ClientConfig.load_client_connect_config())
    try:
        receipt = await start_or_join(client, workflow_id, request)
    except WorkflowQueryFailedError as error:
        print(f"failed (DifferentRequest): {error}")
        return 1
    except WorkflowUpdateFailedError as error:
        failure = error.cause
        if not isinstance(failure, ApplicationError):
            raise
        if failure.type in DELIVERY_FAILURES:
            print(f"undelivered ({failure.type}): {failure.message}; the run goes on")
            return 5
        print(f"failed ({failure.type}): {failure.message}")
        return 1
    print(f"delivered: {receipt['location']}")
    return 0


if len(sys.argv) < 2:
    sys.exit("usage: python join.py request.json")
with open(sys.argv[1]) as file:
    exit_code = asyncio.run(main(json.load(file)))
# Before Python 3.14, a thread of the SDK can abort an interpreter that ends (temporalio/sdk-python#300).
sys.stdout.flush()
os._exit(exit_code)
