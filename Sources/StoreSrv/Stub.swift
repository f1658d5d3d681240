// StoreSrv
