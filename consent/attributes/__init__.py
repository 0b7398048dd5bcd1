"""最新の利用者情報(4情報)提供サービス from the clinic's side: rules, ledger, nightly job, worklist."""
