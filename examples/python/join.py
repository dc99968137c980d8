"""Starts a run, or joins the open one of an equal request, and learns of a failed delivery at once:
python join.py request.json
"""

import asyncio
import json
import os
import sys

from temporalio.client import Client, WithStartWorkflowOperation, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError

DELIVERY_FAILURES = {"SinkRejected", "SinkUnavailable", "SealedTokenUnreadable"}


def workflow_id_for(request: dict) -> str:
    ids = [request["orgId"], request.get("sourceOrgId")]
    return "/".join(["live-migration-prep", *filter(None, ids)])


# docs/callers.md shows this function.
async def start_or_join(client: Client, request: dict) -> dict:
    workflow_id = workflow_id_for(request)
    start = WithStartWorkflowOperation(
        "prepareLiveMigration",
        request,
        id=workflow_id,
        task_queue="live-migration-prep",
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
    )
    try:
        return await client.execute_update_with_start_workflow(
            "awaitDelivery", request, start_workflow_operation=start
        )
    except WorkflowAlreadyStartedError:  # the newest run of this id delivered its token
        # Otherwise asyncio logs that nobody retrieved the handle.
        await asyncio.gather(start.workflow_handle(), return_exceptions=True)
        return await client.get_workflow_handle(workflow_id).result()


async def main(request: dict) -> int:
    client = await Client.connect(**ClientConfig.load_client_connect_config())
    try:
        receipt = await start_or_join(client, request)
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


with open(sys.argv[1]) as file:
    exit_code = asyncio.run(main(json.load(file)))
# Before Python 3.14, a thread of the SDK can abort an interpreter that ends (temporalio/sdk-python#300).
sys.stdout.flush()
os._exit(exit_code)
