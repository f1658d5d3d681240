#include "Settings.h"

static rocksdb_options_t *make_options(const peer_rocksdb_settings *settings, size_t key_bytes) {
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_create_missing_column_families(options, 1);
    rocksdb_options_set_write_buffer_size(options, settings->write_buffer_bytes);
    rocksdb_options_set_max_write_buffer_number(options, settings->write_buffers_maximum);
    rocksdb_options_set_max_background_jobs(options, settings->background_jobs);
    // Recycled logs are left off: this version takes them only with the recovery mode that skips
    // corrupted records in the middle of the log, which a store that loses nothing cannot use.
    rocksdb_options_set_enable_pipelined_write(options, settings->pipelined);
    rocksdb_options_set_unordered_write(options, settings->unordered);
    rocksdb_options_set_allow_concurrent_memtable_write(options, settings->concurrent_memtable);
    rocksdb_options_set_enable_write_thread_adaptive_yield(options, 1);
    // Random bodies do not compress: trying would only cost.
    rocksdb_options_set_compression(options, rocksdb_no_compression);
    // Room for compaction to lag behind the load before it slows the writers down.
    rocksdb_options_set_level0_file_num_compaction_trigger(options, 8);
    rocksdb_options_set_level0_slowdown_writes_trigger(options, 40);
    rocksdb_options_set_level0_stop_writes_trigger(options, 64);
    rocksdb_options_set_max_bytes_for_level_base(options, 4 * settings->write_buffer_bytes);
    rocksdb_options_set_bytes_per_sync(options, 1 << 20);
    rocksdb_options_set_stats_dump_period_sec(options, 0);
    rocksdb_options_set_stats_persist_period_sec(options, 0);
    if (settings->universal_compaction) {
        rocksdb_options_set_compaction_style(options, rocksdb_universal_compaction);
    }
    if (settings->memtable != PEER_ROCKSDB_SKIP_LIST) {
        rocksdb_options_set_prefix_extractor(
            options, rocksdb_slicetransform_create_fixed_prefix(key_bytes));
    }
    if (settings->memtable == PEER_ROCKSDB_HASH_SKIP_LIST) {
        rocksdb_options_set_hash_skip_list_rep(options, 1 << 18, 4, 4);
    } else if (settings->memtable == PEER_ROCKSDB_HASH_LINK_LIST) {
        rocksdb_options_set_hash_link_list_rep(options, 1 << 18);
    }
    return options;
}

char *peer_rocksdb_open(const char *directory, const peer_rocksdb_settings *settings,
    size_t key_bytes, peer_rocksdb_database *database) {
    *database = (peer_rocksdb_database){.separate_heads = settings->heads_in_place};
    database->options = make_options(settings, key_bytes);
    database->head_options = make_options(settings, key_bytes);
    if (settings->heads_in_place) {
        rocksdb_options_set_inplace_update_support(database->head_options, 1);
        rocksdb_options_set_inplace_update_num_locks(database->head_options, 10000);
    }
    const char *names[] = {"default", "heads"};
    const rocksdb_options_t *options[] = {database->options, database->head_options};
    rocksdb_column_family_handle_t *families[] = {NULL, NULL};
    char *error = NULL;
    database->database = rocksdb_open_column_families(database->options, directory,
        settings->heads_in_place ? 2 : 1, names, options, families, &error);
    database->messages = families[0];
    database->heads = settings->heads_in_place ? families[1] : families[0];
    return error;
}

void peer_rocksdb_close(peer_rocksdb_database *database) {
    if (database->database) {
        if (database->separate_heads) rocksdb_column_family_handle_destroy(database->heads);
        rocksdb_column_family_handle_destroy(database->messages);
        rocksdb_close(database->database);
    }
    rocksdb_options_destroy(database->head_options);
    rocksdb_options_destroy(database->options);
}
