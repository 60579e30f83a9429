package dev.deckhand.polaris.outbox;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.polaris.core.PolarisCallContext;
import org.apache.polaris.core.entity.EntityNameLookupRecord;
import org.apache.polaris.core.entity.PolarisBaseEntity;
import org.apache.polaris.core.entity.PolarisEntitySubType;
import org.apache.polaris.core.entity.PolarisEntityType;
import org.apache.polaris.core.persistence.PolarisMetaStoreManager;
import org.apache.polaris.core.persistence.dao.entity.BaseResult;
import org.apache.polaris.core.persistence.dao.entity.EntityResult;
import org.apache.polaris.core.persistence.pagination.PageToken;

/** The few things that we ask of one realm's metastore. */
public record MetaStore(PolarisCallContext context, PolarisMetaStoreManager manager) {
  private static final long NO_CATALOG = 0L;

  String realm() {
    return context.getRealmContext().getRealmIdentifier();
  }

  /** The ids of all TASK rows, of whatever kind. It reads names only and changes nothing. */
  List<Long> taskIds() {
    var listed =
        manager.listEntities(
            context, null, PolarisEntityType.TASK, PolarisEntitySubType.ANY_SUBTYPE, PageToken.readEverything());
    require(listed, "list task rows");
    return listed.getEntities().stream().map(EntityNameLookupRecord::getId).toList();
  }

  Optional<PolarisBaseEntity> task(long id) {
    return entity(id, PolarisEntityType.TASK);
  }

  Optional<String> catalogName(long id) {
    return entity(id, PolarisEntityType.CATALOG).map(PolarisBaseEntity::getName);
  }

  /** Writes a changed row unless somebody else changed it meanwhile; empty in that case, and when it is gone. */
  Optional<PolarisBaseEntity> replace(PolarisBaseEntity row) {
    EntityResult written = manager.updateEntityPropertiesIfNotChanged(context, null, row);
    return written.isSuccess() ? Optional.ofNullable(written.getEntity()) : Optional.empty();
  }

  /** Deletes a row; that it is gone already is well. */
  void delete(PolarisBaseEntity row) {
    var dropped = manager.dropEntityIfExists(context, null, row, Map.of(), false);
    if (dropped.getReturnStatus() != BaseResult.ReturnStatus.ENTITY_NOT_FOUND) {
      require(dropped, "delete task row " + row.getId());
    }
  }

  private Optional<PolarisBaseEntity> entity(long id, PolarisEntityType type) {
    return Optional.ofNullable(manager.loadEntity(context, NO_CATALOG, id, type).getEntity());
  }

  private static void require(BaseResult result, String what) {
    if (!result.isSuccess()) {
      throw new IllegalStateException(
          what + ": " + result.getReturnStatus() + " " + result.getExtraInformation());
    }
  }
}
